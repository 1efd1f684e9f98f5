package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// The keys of one head, turned so that the products of a query with many keys need no sum across
/// vector lanes: tiles of 64 rows, channel by channel.
final class KeyTiles {
  private static final int TILE = 64;

  private final float[] tiles;
  private final int dim;

  /// @param keys `[rows, dim]`
  KeyTiles(float[] keys, int rows, int dim) {
    this.dim = dim;
    this.tiles = new float[(rows + TILE - 1) / TILE * TILE * dim];
    for (int row = 0; row < rows; row++) {
      int to = row / TILE * TILE * dim + row % TILE;
      for (int i = 0; i < dim; i++) {
        tiles[to + i * TILE] = keys[row * dim + i];
      }
    }
  }

  /// Products of the query at `query[from]` with the first `rows` keys. Channels are added in
  /// order.
  void products(float[] query, int from, int rows, float[] out) {
    float[] sums = new float[TILE];
    for (int row = 0; row < rows; row += TILE) {
      Arrays.fill(sums, 0);
      for (int i = 0; i < dim; i++) {
        float factor = query[from + i];
        int at = (row / TILE * dim + i) * TILE;
        for (int j = 0; j < TILE; j++) {
          sums[j] += factor * tiles[at + j];
        }
      }
      System.arraycopy(sums, 0, out, row, Math.min(TILE, rows - row));
    }
  }
}
