package io.kvasir.kvcache.resp;

import io.kvasir.kvcache.tier.BlockChecksum;
import io.kvasir.kvcache.tier.BlockKey;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/// How a block looks in the store: a string under a name that says what it is. Numbers are
/// little-endian.
///
/// ```
/// name    kvasir:FINGERPRINT:KEY                   32 hexadecimal digits each
/// value   | "KVR1" 4 | block bytes 4 | fingerprint 16 | key 16 | checksum of the block 8 |
///         | stored at, ms 8 | crc32c and crc32 of the 56 bytes before, 8 | block |
/// ```
///
/// @param words what the configuration calls the fingerprint
record RespValue(int blockBytes, String words) {
  static final int HEADER_BYTES = 64;

  private static final int MAGIC = 0x3152564B;
  private static final int CHECKED_BYTES = HEADER_BYTES - 8;

  int bytes() {
    return HEADER_BYTES + blockBytes;
  }

  /// What all names begin with.
  String prefix() {
    return "kvasir:" + HexFormat.of().formatHex(fingerprint()) + ":";
  }

  byte[] encode(BlockKey key, MemorySegment block) {
    byte[] value = new byte[bytes()];
    ByteBuffer out = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(MAGIC).putInt(blockBytes).put(fingerprint());
    out.putLong(key.high()).putLong(key.low()).putLong(BlockChecksum.of(block));
    out.putLong(System.currentTimeMillis());
    out.putLong(BlockChecksum.of(ByteBuffer.wrap(value, 0, CHECKED_BYTES)));
    MemorySegment.ofArray(value).asSlice(HEADER_BYTES).copyFrom(block);
    return value;
  }

  /// Copies the block out of a value.
  ///
  /// @return whether the value is this key's, whole; else `into` may hold anything
  boolean decode(byte[] value, BlockKey key, MemorySegment into) {
    if (value.length != bytes()) {
      return false;
    }
    ByteBuffer in = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
    boolean header =
        in.getInt(0) == MAGIC
            && in.getInt(4) == blockBytes
            && in.slice(8, 16).equals(ByteBuffer.wrap(fingerprint()))
            && in.getLong(24) == key.high()
            && in.getLong(32) == key.low()
            && in.getLong(56) == BlockChecksum.of(ByteBuffer.wrap(value, 0, CHECKED_BYTES));
    if (!header) {
      return false;
    }
    into.copyFrom(MemorySegment.ofArray(value).asSlice(HEADER_BYTES));
    return BlockChecksum.of(into) == in.getLong(40);
  }

  /// The first 128 bits of a SHA-256 over the format, the block size and the words.
  private byte[] fingerprint() {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(ByteBuffer.allocate(8).putInt(MAGIC).putInt(blockBytes).flip());
      byte[] digest = sha.digest(words.getBytes(StandardCharsets.UTF_8));
      return Arrays.copyOf(digest, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
