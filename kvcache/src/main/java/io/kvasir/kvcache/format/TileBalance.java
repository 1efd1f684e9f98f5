package io.kvasir.kvcache.format;

import java.util.Arrays;

/// Factors for the tokens and the channels of a tile, after division by which all rows and all
/// columns have nearly the same spread: rows and columns are divided by their standard deviations
/// in turn (as in Sinkhorn's algorithm; for caches KVarN, arXiv 2606.03458).
///
/// Of all rounds the least unbalanced is kept: that whose largest ratio between the standard
/// deviations of two rows is smallest. Deviations are from the mean; sums of a row add element i to
/// partial sum i % 16 in the order of i, then the 16 as a tree ([RowNumbers#treeSum]); sums of a
/// column are in the order of tokens. Nothing is fused. Rows and columns with deviations below
/// 2^-20 keep their factor.
final class TileBalance {
  /// More change next to nothing.
  private static final int ROUNDS = 4;

  private static final float CONSTANT = 0x1p-20f;

  /// The smallest factor, against the largest which is 1: what is divided by it stays finite.
  private static final float LEAST = 0x1p-8f;

  private final int tokens;
  private final int dim;
  private final float[] u;
  private final float[] tokenFactors;
  private final float[] channelFactors;

  private TileBalance(int tokens, int dim) {
    this.tokens = tokens;
    this.dim = dim;
    this.u = new float[tokens * dim];
    this.tokenFactors = new float[tokens];
    this.channelFactors = new float[dim];
    Arrays.fill(tokenFactors, 1);
    Arrays.fill(channelFactors, 1);
  }

  /// Balances the tile `[tokens, dim]` at `source[offset]`.
  static TileBalance of(float[] source, int offset, int tokens, int dim) {
    TileBalance balance = new TileBalance(tokens, dim);
    for (int i = 0; i < balance.u.length; i++) {
      balance.u[i] = RowNumbers.finite(source[offset + i]);
    }
    balance.iterate();
    return balance;
  }

  /// One for each token, the largest 1, none below 2^-8.
  float[] tokenFactors() {
    return normalized(tokenFactors);
  }

  /// One for each channel, the largest 1, none below 2^-8.
  float[] channelFactors() {
    return normalized(channelFactors);
  }

  private static float[] normalized(float[] factors) {
    float largest = 0;
    for (float factor : factors) {
      largest = Math.max(largest, factor);
    }
    float[] result = new float[factors.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = Math.max(LEAST, factors[i] / largest);
    }
    return result;
  }

  private void iterate() {
    float[] rows = new float[tokens];
    float[] columns = new float[dim];
    float[] bestTokens = tokenFactors.clone();
    float[] bestChannels = channelFactors.clone();
    float least = rowDeviations(rows);
    for (int round = 0; round < ROUNDS; round++) {
      divideRows(rows);
      columnDeviations(columns);
      divideColumns(columns);
      float imbalance = rowDeviations(rows);
      if (imbalance < least) {
        least = imbalance;
        System.arraycopy(tokenFactors, 0, bestTokens, 0, tokens);
        System.arraycopy(channelFactors, 0, bestChannels, 0, dim);
      }
    }
    System.arraycopy(bestTokens, 0, tokenFactors, 0, tokens);
    System.arraycopy(bestChannels, 0, channelFactors, 0, dim);
  }

  private void divideRows(float[] deviations) {
    for (int t = 0; t < tokens; t++) {
      float inverse = 1 / deviations[t];
      tokenFactors[t] *= deviations[t];
      for (int i = t * dim; i < (t + 1) * dim; i++) {
        u[i] *= inverse;
      }
    }
  }

  private void divideColumns(float[] deviations) {
    for (int i = 0; i < dim; i++) {
      channelFactors[i] *= deviations[i];
      deviations[i] = 1 / deviations[i];
    }
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < dim; i++) {
        u[t * dim + i] *= deviations[i];
      }
    }
  }

  /// Fills in the standard deviation of each row, 1 for constant ones, and returns the largest
  /// ratio.
  private float rowDeviations(float[] deviations) {
    float[] sums = new float[16];
    float smallest = Float.POSITIVE_INFINITY;
    float largest = 0;
    for (int t = 0; t < tokens; t++) {
      Arrays.fill(sums, 0);
      for (int i = 0; i < dim; i++) {
        sums[i % 16] += u[t * dim + i];
      }
      float mean = RowNumbers.treeSum(sums) / dim;
      Arrays.fill(sums, 0);
      for (int i = 0; i < dim; i++) {
        float off = u[t * dim + i] - mean;
        sums[i % 16] += off * off;
      }
      float deviation = (float) Math.sqrt(RowNumbers.treeSum(sums) / dim);
      deviations[t] = deviation < CONSTANT ? 1 : deviation;
      if (deviation >= CONSTANT) {
        smallest = Math.min(smallest, deviation);
        largest = Math.max(largest, deviation);
      }
    }
    return largest == 0 ? 1 : largest / smallest;
  }

  private void columnDeviations(float[] deviations) {
    float[] means = new float[dim];
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < dim; i++) {
        means[i] += u[t * dim + i];
      }
    }
    Arrays.fill(deviations, 0);
    for (int i = 0; i < dim; i++) {
      means[i] /= tokens;
    }
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < dim; i++) {
        float off = u[t * dim + i] - means[i];
        deviations[i] += off * off;
      }
    }
    for (int i = 0; i < dim; i++) {
      float deviation = (float) Math.sqrt(deviations[i] / tokens);
      deviations[i] = deviation < CONSTANT ? 1 : deviation;
    }
  }
}
