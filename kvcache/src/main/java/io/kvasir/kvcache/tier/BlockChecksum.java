package io.kvasir.kvcache.tier;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/// The 64-bit checksum of a stored block: CRC-32C (Castagnoli, RFC 3720) in the upper half, CRC-32
/// (ISO 3309, as in zip) in the lower half.
///
/// Two polynomials, since a tier meets other blocks' bytes as a matter of course, where a crash or
/// another process came between a header and a body, and a collision there would be a wrong answer.
/// Both run at memory speed on processors with carry-less multiplication.
public final class BlockChecksum {
  /// Small enough that the second polynomial finds the bytes in the first-level cache.
  private static final int SLICE_BYTES = 16 << 10;

  private BlockChecksum() {}

  /// @param bytes at most 2^31 - 1 bytes
  public static long of(MemorySegment bytes) {
    return of(bytes.asByteBuffer());
  }

  /// Of the remaining bytes; moves the position to the limit.
  public static long of(ByteBuffer bytes) {
    CRC32C castagnoli = new CRC32C();
    CRC32 iso = new CRC32();
    int end = bytes.limit();
    while (bytes.position() < end) {
      int from = bytes.position();
      bytes.limit(from + Math.min(end - from, SLICE_BYTES));
      castagnoli.update(bytes);
      bytes.position(from);
      iso.update(bytes);
      bytes.limit(end);
    }
    return castagnoli.getValue() << 32 | iso.getValue();
  }
}
