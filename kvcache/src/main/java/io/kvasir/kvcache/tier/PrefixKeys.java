package io.kvasir.kvcache.tier;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/// Derives the [BlockKey]s of a prefix: a chain of SHA-256 hashes, each over the one before it and
/// one block of tokens.
///
/// ```
/// root  = SHA-256("kvasir-prefix-1" | fingerprint | 0 | salt)       first 128 bits
/// next  = SHA-256(past 16 bytes | token 4 bytes little endian ...)  first 128 bits
/// group = next, the layer group's number mixed into the low half
/// ```
///
/// Not safe for several threads at once.
public final class PrefixKeys {
  private final MessageDigest sha256;
  private final String fingerprint;
  private ByteBuffer input = ByteBuffer.allocate(0);

  /// @param fingerprint stands for everything but tokens and salt that decides a block's bytes: the
  ///   model's weights, the number formats, the layout, the arithmetic
  public PrefixKeys(String fingerprint) {
    this.fingerprint = fingerprint;
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /// The key of the empty prefix.
  public BlockKey root(String salt) {
    String text = "kvasir-prefix-1\n" + fingerprint + "\0" + salt;
    return key(sha256.digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  /// The key of a prefix that is one block longer than `past`.
  ///
  /// @param tokens the block is `tokens[from .. from + count - 1]`
  public BlockKey next(BlockKey past, int[] tokens, int from, int count) {
    int length = 16 + 4 * count;
    if (input.capacity() != length) {
      input = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    }
    input.clear();
    input.putLong(past.high()).putLong(past.low());
    for (int i = 0; i < count; i++) {
      input.putInt(tokens[from + i]);
    }
    sha256.update(input.flip());
    return key(sha256.digest());
  }

  /// The key of one layer group's block at the end of a prefix.
  public static BlockKey inGroup(BlockKey prefix, int group) {
    return new BlockKey(prefix.high(), prefix.low() + group * 0x9e3779b97f4a7c15L);
  }

  private static BlockKey key(byte[] digest) {
    ByteBuffer bytes = ByteBuffer.wrap(digest).order(ByteOrder.LITTLE_ENDIAN);
    return new BlockKey(bytes.getLong(), bytes.getLong());
  }
}
