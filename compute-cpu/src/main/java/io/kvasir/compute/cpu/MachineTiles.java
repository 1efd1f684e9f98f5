package io.kvasir.compute.cpu;

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
  @Nullable TileProducts pairs(int dim) {
    TileProducts known = paired;
    if (known != null && known.codes().dim() == dim) {
      return known;
    }
    TileProducts plain = of(dim);
    TileCodes codes = plain == null ? null : plain.codes().paired();
    paired = codes == null ? null : TileProducts.of(codes);
    return paired;
  }

  int[] levels() {
    return levels;
  }

  /// The products with rows of `dim` channels, or null where there is no machine code.
  @Nullable TileProducts of(int dim) {
    TileProducts known = products;
    if (known != null && known.codes().dim() == dim) {
      return known;
    }
    int size = group == WHOLE ? dim : group;
    if (!MachineProducts.SUPPORTED || !TileCodes.fits(kind, dim, size)) {
      return null;
    }
    known = TileProducts.of(new TileCodes(kind, dim, size));
    products = known;
    return known;
  }
}
