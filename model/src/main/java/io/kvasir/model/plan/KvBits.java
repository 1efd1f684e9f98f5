package io.kvasir.model.plan;

import java.util.List;

/// What a cache format costs: bits for each element and for each row of one head, keys and values
/// apart. Scales and zeros are counted, exact parts of a sequence (first and open block of the
/// 4-bit formats) are not.
///
/// @param name as on the command line
/// @param keyBits bits of a key element, with what is shared by a fixed number of them
/// @param keyRowBits further bits of a key row: one scale or norm for a token and head
/// @param valueBits bits of a value element
/// @param valueRowBits further bits of a value row
/// @param what the format in a few words
public record KvBits(
    String name,
    double keyBits,
    double keyRowBits,
    double valueBits,
    double valueRowBits,
    String what) {

  /// Tokens that share the channel scales of the KVarN format.
  private static final double TILE = 128;

  /// All formats, from exact to smallest.
  public static final List<KvBits> ALL =
      List.of(
          same("f32", 32, 0, "32-bit floats"),
          same("f16", 16, 0, "16-bit floats"),
          same("bf16", 16, 0, "bfloat16"),
          same("q8_0", 8.5, 0, "8 bits, a scale for 32 channels"),
          same("int8", 8, 16, "8 bits, a scale for each token and head"),
          same("fp8", 8, 16, "e4m3 floats, a scale for each token and head"),
          same("int6", 6.5, 0, "6 bits, a scale for 32 channels"),
          same("q5_1", 6, 0, "5 bits, scale and minimum for 32 channels"),
          same("int5", 5.5, 0, "5 bits, a scale for 32 channels"),
          same("q5_0", 5.5, 0, "5 bits, a scale for 32 channels"),
          new KvBits("k8v4", 8, 16, 4.5, 0, "keys int8, values int4"),
          new KvBits("k6v4", 6.5, 0, 4.5, 0, "keys int6, values int4"),
          new KvBits("k5v4", 5.5, 0, 4.5, 0, "keys int5, values int4"),
          same("kivi4", 5, 0, "4 bits, keys by channel, values by token"),
          same("int4", 4.5, 0, "4 bits, a scale for 32 channels"),
          same("q4_0", 4.5, 0, "4 bits, a scale for 32 channels"),
          tile("k4v2", 4, 2),
          tile("k3v3", 3, 3),
          same("lm3", 3, 16, "3 bits of a Lloyd-Max table, a norm for each token and head"),
          same("kivi2", 3, 0, "2 bits, keys by channel, values by token"),
          tile("k2v2", 2, 2),
          same("lm2", 2, 16, "2 bits of a Lloyd-Max table, a norm for each token and head"));

  private static KvBits same(String name, double bits, double rowBits, String what) {
    return new KvBits(name, bits, rowBits, bits, rowBits, what);
  }

  /// Tiles of 128 tokens with factors for tokens and channels: keys have two for each channel and
  /// one for each token, values the other way round.
  private static KvBits tile(String name, int keyBits, int valueBits) {
    return new KvBits(
        name,
        keyBits + 32 / TILE,
        16,
        valueBits + 16 / TILE,
        32,
        "tiles of 128 tokens, keys " + keyBits + " and values " + valueBits + " bits");
  }

  /// The format called `name`.
  ///
  /// @throws IllegalArgumentException naming the value and the known formats
  public static KvBits named(String name) {
    for (KvBits format : ALL) {
      if (format.name.equalsIgnoreCase(name)) {
        return format;
      }
    }
    throw new IllegalArgumentException(
        "unknown cache format '"
            + name
            + "'; choose from "
            + String.join(", ", ALL.stream().map(KvBits::name).toList()));
  }

  /// Bytes of one key row of `dim` elements.
  double keyRowBytes(int dim) {
    return dim == 0 ? 0 : (keyBits * dim + keyRowBits) / 8;
  }

  /// Bytes of one value row of `dim` elements.
  double valueRowBytes(int dim) {
    return dim == 0 ? 0 : (valueBits * dim + valueRowBits) / 8;
  }
}
