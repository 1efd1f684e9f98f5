package io.kvasir.cli.load;

import java.util.SplittableRandom;

/// Times at which requests of an open loop leave.
final class Arrivals {
  private Arrivals() {}

  /// A Poisson process: gaps between requests are exponential with mean `1 / rate`, drawn by
  /// inversion as `-ln(1 - u) / rate`.
  ///
  /// @param rate requests per second; infinite for all at once
  /// @return nanoseconds since the run began, rising
  static long[] poisson(int count, double rate, SplittableRandom random) {
    if (!(rate > 0)) {
      throw new IllegalArgumentException("the rate must be above 0 requests per second: " + rate);
    }
    long[] times = new long[count];
    double seconds = 0;
    for (int i = 0; i < count; i++) {
      seconds += -Math.log1p(-random.nextDouble()) / rate;
      times[i] = Math.round(seconds * 1e9);
    }
    return times;
  }
}
