package io.kvasir.kvcache.format;

import io.kvasir.kvcache.KvLayout;

/// What the rows of a plane are, which decides the order of their elements.
public enum PlaneKind {
  /// Keys. Within each tile of [KvLayout#TILE_TOKENS] tokens the elements of one channel stand
  /// beside each other, so that the products of a query with all keys of a tile need no sum across
  /// vector lanes.
  KEYS,
  /// Values, row after row.
  VALUES,
  /// Rows whose first elements are the values (MLA), row after row.
  LATENT;

  /// Where element `channel` of row `slot` stands among the elements of a plane with rows of `dim`.
  public long element(int slot, int channel, int dim) {
    if (this != KEYS) {
      return (long) slot * dim + channel;
    }
    int tile = slot / KvLayout.TILE_TOKENS;
    return ((long) tile * dim + channel) * KvLayout.TILE_TOKENS + slot % KvLayout.TILE_TOKENS;
  }
}
