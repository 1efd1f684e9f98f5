package io.kvasir.cli.load;

import java.util.Arrays;

/// Measured durations in nanoseconds, all of them, so that percentiles are exact.
///
/// A run has one value per token at most: a million tokens are 8 MB, which is why nothing is put
/// into buckets. Not safe for use by several threads.
public final class Samples {
  private long[] values = new long[64];
  private int count;
  private boolean sorted = true;

  void add(long nanos) {
    if (count == values.length) {
      values = Arrays.copyOf(values, 2 * count);
    }
    values[count++] = nanos;
    sorted = false;
  }

  int count() {
    return count;
  }

  /// The mean; 0 for none.
  double mean() {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += values[i];
    }
    return count == 0 ? 0 : sum / count;
  }

  /// The smallest value that at least `percent` of all do not exceed (nearest rank); 0 for none.
  ///
  /// @param percent above 0, up to 100
  long percentile(double percent) {
    if (!(percent > 0 && percent <= 100)) {
      throw new IllegalArgumentException("a percentile is above 0 and up to 100, not " + percent);
    }
    if (count == 0) {
      return 0;
    }
    sort();
    int rank = (int) Math.ceil(percent / 100 * count - 1e-9);
    return values[Math.clamp(rank, 1, count) - 1];
  }

  long max() {
    return count == 0 ? 0 : percentile(100);
  }

  private void sort() {
    if (!sorted) {
      Arrays.sort(values, 0, count);
      sorted = true;
    }
  }
}
