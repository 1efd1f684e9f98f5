package io.kvasir.engine;

import java.util.Arrays;

/// A score per layer, kv head and position, for as long as one pruning takes.
final class RowScores {
  /// What stands where nothing was computed: rather kept than lost.
  private static final float UNKNOWN = Float.POSITIVE_INFINITY;

  private final float[][][] scores;

  RowScores(int layers) {
    scores = new float[layers][][];
  }

  void set(int layer, int head, int heads, int position, float score) {
    if (scores[layer] == null) {
      scores[layer] = new float[heads][0];
    }
    float[] row = scores[layer][head];
    if (position >= row.length) {
      int length = row.length;
      row = Arrays.copyOf(row, Math.max(position + 1, 2 * length));
      Arrays.fill(row, length, row.length, UNKNOWN);
      scores[layer][head] = row;
    }
    row[position] = score;
  }

  float get(int layer, int head, int position) {
    float[][] heads = scores[layer];
    return heads == null || position >= heads[head].length ? UNKNOWN : heads[head][position];
  }
}
