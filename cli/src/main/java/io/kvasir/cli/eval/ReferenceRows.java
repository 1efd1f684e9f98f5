package io.kvasir.cli.eval;

/// Distributions over the next token that others are compared with, for the rows of one pass.
///
/// For logits `a` of the reference and `b` of the one under test, `p = exp(a - A)` with `A = log
/// sum exp a`, the divergence `KL(p || q) = sum p (log p - log q)` is `sum p (a - b) - (A - B)`:
/// one exponential per element and distribution, and exactly 0 for equal logits.
final class ReferenceRows {
  private final int vocabulary;
  private final float[] logits;
  private final float[] probabilities;
  private final double[] logSums;
  private final int[] tops;

  /// @param rows most rows
  ReferenceRows(int rows, int vocabulary) {
    this.vocabulary = vocabulary;
    logits = new float[Math.multiplyExact(rows, vocabulary)];
    probabilities = new float[logits.length];
    logSums = new double[rows];
    tops = new int[rows];
  }

  /// How one distribution under test differs from the reference.
  ///
  /// @param divergence KL divergence in nats
  /// @param sameTop whether the likeliest token is the same
  /// @param reference log-probability of the true token by the reference
  /// @param tested log-probability of the true token by the one under test
  record Difference(double divergence, boolean sameTop, double reference, double tested) {}

  /// Makes `scores` row `row` of the reference.
  void set(int row, float[] scores) {
    int base = row * vocabulary;
    System.arraycopy(scores, 0, logits, base, vocabulary);
    int top = top(scores);
    double sum = logSum(scores, scores[top]);
    for (int i = 0; i < vocabulary; i++) {
      probabilities[base + i] = (float) Math.exp(scores[i] - sum);
    }
    logSums[row] = sum;
    tops[row] = top;
  }

  /// Compares `scores` with row `row`.
  ///
  /// @param truth the token that follows in the text
  Difference compare(int row, float[] scores, int truth) {
    int base = row * vocabulary;
    int top = top(scores);
    double logSum = logSum(scores, scores[top]);
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) {
      sum += (double) probabilities[base + i] * ((double) logits[base + i] - scores[i]);
    }
    return new Difference(
        Math.max(0, sum - (logSums[row] - logSum)),
        top == tops[row],
        logits[base + truth] - logSums[row],
        scores[truth] - logSum);
  }

  private int top(float[] scores) {
    int top = 0;
    for (int i = 1; i < vocabulary; i++) {
      top = scores[i] > scores[top] ? i : top;
    }
    return top;
  }

  private double logSum(float[] scores, float max) {
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) {
      sum += Math.exp((double) scores[i] - max);
    }
    return max + Math.log(sum);
  }
}
