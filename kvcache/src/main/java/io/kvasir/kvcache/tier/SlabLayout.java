package io.kvasir.kvcache.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// Where things are in a slab, the file that [DiskTier] keeps blocks in. Numbers are little-endian.
///
/// ```
/// file    | header, 64 | zero to 4096 | record 0 | ... | record n-1 | used 0 | ... | used n-1 | pad |
///         | block 0 | ... | block n-1 |                                               n slots
/// header  | "KVASIRSL" 8 | version 4 | block bytes 4 | fingerprint 16 | slots 4 | zero 24 | crc32c 4 |
/// record  | "KVB1" 4 | block bytes 4 | fingerprint 8 | key 16 | checksum of the block 8 |
///         | stored at, ms 8 | slot 4 | zero 8 | crc32c 4 |                           64 bytes
/// used    when the block was last read or stored: ms since 1970 times 1024, 8 bytes, unchecked
/// block   the bytes, padded to a multiple of 4096 where blocks are that large, else of 64
/// ```
///
/// The crc32c of header and record covers the bytes before it. A record of zeros is a free slot.
/// Records lie together and not before their blocks, so that the index of a slab is one short
/// sequential read and blocks are whole pages.
///
/// @param fingerprintHigh first half of what [#fingerprint] gives
/// @param fingerprintLow second half
/// @param blockBytes bytes of each block
/// @param slots number of blocks
record SlabLayout(long fingerprintHigh, long fingerprintLow, int blockBytes, int slots) {
  static final int VERSION = 1;
  static final int HEADER_BYTES = 64;
  static final int RECORD_BYTES = 64;
  static final int USED_BYTES = 8;
  static final int MAX_SLOTS = 1 << 24;
  static final int MAX_BLOCK_BYTES = 1 << 30;

  private static final int PAGE = 4096;
  private static final long MAGIC = 0x4C535249_5341564BL;
  private static final int RECORD_MAGIC = 0x3142564B;

  SlabLayout {
    if (blockBytes < 1 || blockBytes > MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException(
          "block bytes must be in 1.." + MAX_BLOCK_BYTES + ": " + blockBytes);
    }
    if (slots < 1 || slots > MAX_SLOTS) {
      throw new IllegalArgumentException("slots must be in 1.." + MAX_SLOTS + ": " + slots);
    }
  }

  /// The layout of a slab of as many slots as fit into so many bytes, at least one.
  static SlabLayout fitting(String fingerprint, int blockBytes, long bytes) {
    ByteBuffer print = fingerprint(fingerprint, blockBytes);
    long perSlot = stride(blockBytes) + RECORD_BYTES + USED_BYTES;
    long slots = Math.clamp((bytes - 2L * PAGE) / perSlot, 1, MAX_SLOTS);
    return new SlabLayout(print.getLong(0), print.getLong(8), blockBytes, (int) slots);
  }

  /// The first 128 bits of a SHA-256 over the file version, the block size and the words.
  private static ByteBuffer fingerprint(String words, int blockBytes) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(ByteBuffer.allocate(8).putInt(VERSION).putInt(blockBytes).flip());
      return ByteBuffer.wrap(sha.digest(words.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /// Whether blocks of the other slab may be read as blocks of this one.
  boolean sameContent(SlabLayout other) {
    return fingerprintHigh == other.fingerprintHigh
        && fingerprintLow == other.fingerprintLow
        && blockBytes == other.blockBytes;
  }

  long recordAt(int slot) {
    return PAGE + (long) slot * RECORD_BYTES;
  }

  long usedAt(int slot) {
    return recordAt(slots) + (long) slot * USED_BYTES;
  }

  long blockAt(int slot) {
    return roundUp(usedAt(slots), PAGE) + slot * stride(blockBytes);
  }

  /// Bytes of the file when every slot is in use.
  long fileBytes() {
    return blockAt(slots);
  }

  ByteBuffer header() {
    ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(MAGIC).putInt(VERSION).putInt(blockBytes);
    out.putLong(fingerprintHigh).putLong(fingerprintLow).putInt(slots);
    return sealed(out);
  }

  /// @throws IOException where the bytes are no header of this version
  static SlabLayout ofHeader(ByteBuffer bytes) throws IOException {
    ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (!isSealed(in, 0) || in.getLong(0) != MAGIC || in.getInt(8) != VERSION) {
      throw new IOException("no header of a slab, version " + VERSION);
    }
    try {
      return new SlabLayout(in.getLong(16), in.getLong(24), in.getInt(12), in.getInt(32));
    } catch (IllegalArgumentException e) {
      throw new IOException("the header of a slab has impossible sizes: " + e.getMessage(), e);
    }
  }

  ByteBuffer record(BlockKey key, long checksum, int slot) {
    ByteBuffer out = ByteBuffer.allocate(RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(RECORD_MAGIC).putInt(blockBytes).putLong(fingerprintHigh);
    out.putLong(key.high()).putLong(key.low()).putLong(checksum);
    out.putLong(System.currentTimeMillis()).putInt(slot);
    return sealed(out);
  }

  /// Reads the record of a slot.
  ///
  /// @param at where it starts in `bytes`
  /// @return null for a free slot
  /// @throws IOException where the bytes are damaged or of another slab
  @Nullable Stored record(ByteBuffer bytes, int at, int slot) throws IOException {
    ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (in.getInt(at) == 0) {
      return null;
    }
    if (!isSealed(in, at)
        || in.getInt(at) != RECORD_MAGIC
        || in.getInt(at + 4) != blockBytes
        || in.getLong(at + 8) != fingerprintHigh
        || in.getInt(at + 48) != slot) {
      throw new IOException("the record of slot " + slot + " is damaged");
    }
    BlockKey key = new BlockKey(in.getLong(at + 16), in.getLong(at + 24));
    return new Stored(key, in.getLong(at + 32));
  }

  /// What a record says of its block.
  record Stored(BlockKey key, long checksum) {}

  private static long stride(int blockBytes) {
    return roundUp(blockBytes, blockBytes < PAGE ? 64 : PAGE);
  }

  private static long roundUp(long bytes, int multiple) {
    return (bytes + multiple - 1) / multiple * multiple;
  }

  private static ByteBuffer sealed(ByteBuffer bytes) {
    bytes.putInt(bytes.capacity() - 4, crc(bytes, 0, bytes.capacity()));
    return bytes.clear();
  }

  private static boolean isSealed(ByteBuffer bytes, int at) {
    return bytes.getInt(at + HEADER_BYTES - 4) == crc(bytes, at, HEADER_BYTES);
  }

  private static int crc(ByteBuffer bytes, int at, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate().clear().position(at).limit(at + length - 4));
    return (int) crc.getValue();
  }
}
