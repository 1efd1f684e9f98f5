package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.TileCodes;
import io.kvasir.compute.x86.TileProducts;
import org.jspecify.annotations.Nullable;

/// How the rows of a format are computed on in machine code. One per format and thread.
final class MachineTiles {
  /// Channels that share a scale where all of a token do.
  static final int WHOLE = -1;

  private final TileCodes.Kind kind;
  private final int group;
  private final int[] levels;
  private @Nullable TileProducts products;
  private @Nullable TileProducts paired;

  /// @param group channels that share a scale; 0 where there are none, [#WHOLE] for all
  /// @param levels the bits of what nibbles stand for
  MachineTiles(TileCodes.Kind kind, int group, int[] levels) {
    this.kind = kind;
    this.group = group;
    this.levels = levels;
  }

  /// Numbers without scales.
  static MachineTiles plain(TileCodes.Kind kind) {
    return new MachineTiles(kind, 0, new int[0]);
  }

  /// As [#of], with products of pairs of bf16.
  @Nullable TileProducts pairs(int dim, Instructions set) {
    TileProducts known = paired;
    if (known != null && known.is(dim, set)) {
      return known;
    }
    TileProducts plain = of(dim, set);
    TileCodes codes = plain == null ? null : plain.codes().paired();
    paired = codes == null ? null : TileProducts.of(set, codes);
    return paired;
  }

  int[] levels() {
    return levels;
  }

  /// The products with rows of `dim` channels, or null where there is no machine code.
  ///
  /// @param set the instructions that it is written in
  @Nullable TileProducts of(int dim, Instructions set) {
    TileProducts known = products;
    if (known != null && known.is(dim, set)) {
      return known;
    }
    int size = group == WHOLE ? dim : group;
    if (!TileCodes.fits(kind, dim, size)) {
      return null;
    }
    known = TileProducts.of(set, new TileCodes(kind, dim, size));
    products = known;
    return known;
  }
}
