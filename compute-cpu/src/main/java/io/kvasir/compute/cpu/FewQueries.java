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

  /// Scores of a query: what a kernel writes behind those of a partition is in the way of nobody.
  static final int ROW = PartitionKernel.TOKENS + TOKENS;

  /// Most channels of a key. Rows are a constant distance apart, because a kernel that needs more
  /// than a few addresses keeps them in vector registers, for which others are converted again.
  static final int MOST_CHANNELS = 512;

  private static final int TILE = KvLayout.TILE_TOKENS;

  /// Queries that are there.
  int count;

  /// Query rows, [#MOST_CHANNELS] apart, and where the first of the four starts.
  final float[] x = new float[2 * SIDE * MOST_CHANNELS];

  int xFrom;

  /// Scores, then weights, in rows of [#ROW]; those of the first of the four start at `out`, for
  /// the place's first row.
  float[] scores = {};

  int out;

  /// Scales of the place's rows, `[tiles][groups][16]`.
  float[] scales = {};

  /// Weights with scales multiplied in, `[groups][4][64]`, see [#fold].
  float[] folded = {};

  /// Sums of values, in rows of the place's channels; those of the first of the four start at
  /// `accAt`.
  float[] acc = {};

  int accAt;

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
    int scaleAt = 0;
    for (int t = 0; t < tiles * TILE; t += TILE) {
      for (int g = 0; g < groups; g++) {
        for (int lane = 0; lane < TILE; lane += L) {
          FloatVector scale = FloatVector.fromArray(F, scales, scaleAt + lane);
          int from = out + t + lane;
          int to = g * SIDE * TOKENS + t + lane;
          FloatVector.fromArray(F, s, from).mul(scale).intoArray(f, to);
          FloatVector.fromArray(F, s, from + ROW).mul(scale).intoArray(f, to + TOKENS);
          FloatVector.fromArray(F, s, from + 2 * ROW).mul(scale).intoArray(f, to + 2 * TOKENS);
          FloatVector.fromArray(F, s, from + 3 * ROW).mul(scale).intoArray(f, to + 3 * TOKENS);
        }
        scaleAt += TILE;
      }
    }
  }
}
