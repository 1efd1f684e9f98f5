package io.kvasir.engine;

import io.kvasir.compute.RopeTable;
import io.kvasir.model.RopeConfig;

/// Gives queries the mean position encoding of the positions that come next instead of their own.
///
/// A pair `(a, b)` that was turned by its position's angle is turned back, then multiplied by the
/// mean turn of the next [#AHEAD] positions, which is a turn and a shortening.
final class ExpectedQueries {
  private static final int AHEAD = 512;

  private ExpectedQueries() {}

  /// Changes `[count, heads, dim]` queries of positions `first, first + 1, ...` in place.
  ///
  /// @param next the first position to come
  static void encode(RopeConfig rope, float[] rows, int heads, int dim, int first, int next) {
    RopeTable table = rope.table();
    int pairs = table.pairs();
    int count = rows.length / (heads * dim);
    table.ensure(Math.max(next + AHEAD, first + count));
    float[] cos = new float[pairs];
    float[] sin = new float[pairs];
    for (int position = next; position < next + AHEAD; position++) {
      for (int i = 0; i < pairs; i++) {
        cos[i] += table.pageOf(position)[table.offset(position) + i] / AHEAD;
        sin[i] += table.pageOf(position)[table.offset(position) + pairs + i] / AHEAD;
      }
    }
    float square = table.magnitude() * table.magnitude();
    for (int row = 0; row < count * heads; row++) {
      int position = first + row / heads;
      float[] page = table.pageOf(position);
      int at = table.offset(position);
      for (int i = 0; i < pairs; i++) {
        int x = row * dim + (rope.interleaved() ? 2 * i : i);
        int y = rope.interleaved() ? x + 1 : x + pairs;
        float c = page[at + i];
        float s = page[at + pairs + i];
        float a = (rows[x] * c + rows[y] * s) / square;
        float b = (rows[y] * c - rows[x] * s) / square;
        rows[x] = a * cos[i] - b * sin[i];
        rows[y] = b * cos[i] + a * sin[i];
      }
    }
  }
}
