package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import jdk.incubator.vector.FloatVector;

/// Up to four queries that attend to codes directly, and where their scores and sums go. All of
/// them see the same positions. Mutable, one per thread.
///
/// Kernels compute for four queries or for two; those that are not there repeat the last one, and
/// their sums go to rows that nobody reads.
final class FewQueries {
  /// Queries at once.
  static final int SIDE = 4;

  /// Positions at once.
  static final int TOKENS = 64;

  private static final int TILE = KvLayout.TILE_TOKENS;

  /// Queries that are there.
  int count;

  /// Query rows, and where those of the four start.
  float[] x = {};

  final int[] xAt = new int[SIDE];

  /// Scores, then weights; those of the four from `out` on, for the place's first row.
  float[] scores = {};

  final int[] out = new int[SIDE];

  /// Scales of the place's rows, `[tiles][groups][16]`.
  float[] scales = {};

  /// Weights with scales multiplied in, `[4][groups][64]`, see [#fold].
  float[] folded = {};

  /// Sums of values, those of the four from `accAt` on.
  float[] acc = {};

  final int[] accAt = new int[SIDE];

  /// Rows of the place that the queries see.
  int from;

  int to;

  /// Makes room for the scales of a place.
  void room(int groups) {
    if (scales.length < TOKENS * groups) {
      scales = new float[TOKENS * groups];
      folded = new float[SIDE * TOKENS * groups];
    }
  }

  /// Multiplies the weights with the scales of each group of channels.
  void fold(int tiles, int groups) {
    float[] s = scores;
    float[] f = folded;
    int apart = groups * TOKENS;
    for (int i = 0; i < tiles * groups; i++) {
      int t = i / groups * TILE;
      for (int lane = 0; lane < TILE; lane += L) {
        FloatVector scale = FloatVector.fromArray(F, scales, i * TILE + lane);
        int from = t + lane;
        int at = i % groups * TOKENS + from;
        FloatVector.fromArray(F, s, out[0] + from).mul(scale).intoArray(f, at);
        FloatVector.fromArray(F, s, out[1] + from).mul(scale).intoArray(f, at + apart);
        FloatVector.fromArray(F, s, out[2] + from).mul(scale).intoArray(f, at + 2 * apart);
        FloatVector.fromArray(F, s, out[3] + from).mul(scale).intoArray(f, at + 3 * apart);
      }
    }
  }
}
