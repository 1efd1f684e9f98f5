package io.kvasir.compute.x86;

import org.jspecify.annotations.Nullable;

/// How rows of keys and values stand in a cache, as [TileProducts] reads them.
///
/// Codes come first, sixteen tokens after the other: of keys `[channel][16]`, of values
/// `[16][channel]`. Behind the codes of a block are f16 scales, `[tile][group][16]`.
///
/// @param kind of the codes
/// @param dim channels, a multiple of 16, of 32 for nibbles
/// @param group channels that share a scale; `dim` where a token has one, 0 where there are none
public record TileCodes(Kind kind, int dim, int group) {
  static final int TILE = 16;

  /// Words of two vectors by turns.
  static final int[] PAIR_ORDER = new int[TILE];

  static {
    for (int lane = 0; lane < TILE; lane++) {
      PAIR_ORDER[lane] = lane | TILE + lane << 16;
    }
  }

  /// Channels whose nibbles share sixteen bytes: byte `i` holds channels `i` and `i + 16`.
  static final int NIBBLE_GROUP = 32;

  /// Most channels.
  public static final int MOST_CHANNELS = 512;

  /// What a code is.
  public enum Kind {
    F32,
    F16,
    BF16,
    /// F16 that is rounded to bf16 and multiplied in pairs of channels of a key, of rows of values.
    F16_PAIRS,
    /// BF16 that is multiplied in pairs.
    BF16_PAIRS,
    /// Signed integers.
    BYTES,
    /// The number of one of sixteen levels, two in a byte.
    NIBBLES
  }

  public TileCodes {
    if (!fits(kind, dim, group)) {
      throw new IllegalArgumentException(
          "no machine code for %d channels of %s in groups of %d".formatted(dim, kind, group));
    }
  }

  /// Whether such rows can be computed on.
  public static boolean fits(Kind kind, int dim, int group) {
    int multiple = kind == Kind.NIBBLES ? NIBBLE_GROUP : TILE;
    boolean scaled = kind == Kind.BYTES || kind == Kind.NIBBLES;
    return dim > 0
        && dim <= MOST_CHANNELS
        && dim % multiple == 0
        && (scaled ? group == dim || group == NIBBLE_GROUP : group == 0);
  }

  /// Whether numbers are multiplied in pairs of bf16.
  public boolean isPaired() {
    return kind == Kind.F16_PAIRS || kind == Kind.BF16_PAIRS;
  }

  /// The same rows, to be multiplied in pairs of bf16; null where that cannot be.
  public @Nullable TileCodes paired() {
    return switch (kind) {
      case F16, F16_PAIRS -> new TileCodes(Kind.F16_PAIRS, dim, group);
      case BF16, BF16_PAIRS -> new TileCodes(Kind.BF16_PAIRS, dim, group);
      case F32, BYTES, NIBBLES -> null;
    };
  }

  /// Bytes of a row's codes.
  public int rowBytes() {
    return switch (kind) {
      case F32 -> 4 * dim;
      case F16, BF16, F16_PAIRS, BF16_PAIRS -> 2 * dim;
      case BYTES -> dim;
      case NIBBLES -> dim / 2;
    };
  }

  /// Scales of a row.
  public int groups() {
    return group == 0 ? 0 : (dim + group - 1) / group;
  }

  /// Channels of a key whose products are summed apart; 0 where there are no scales.
  public int part() {
    return kind == Kind.NIBBLES ? NIBBLE_GROUP / 2 : group;
  }

  int tileBytes() {
    return TILE * rowBytes();
  }

  /// Bytes of a tile's scales.
  int scaleBytes() {
    return 2 * TILE * groups();
  }
}
