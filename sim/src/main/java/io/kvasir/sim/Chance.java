package io.kvasir.sim;

import java.util.Arrays;
import java.util.SplittableRandom;

/// Seeded draws from the distributions that workloads are made of.
final class Chance {
  private final SplittableRandom random;

  Chance(long seed) {
    random = new SplittableRandom(seed);
  }

  /// A number that no other draw will give again.
  long fresh() {
    return random.nextLong();
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  /// Time until the next of events that come `rate` times a second on average, in nanoseconds.
  long untilNext(double rate) {
    return (long) (exponential(1 / rate) * 1e9);
  }

  double exponential(double mean) {
    return -mean * Math.log(1 - random.nextDouble());
  }

  /// A length around `mean`: log-normal with a spread of half an e-fold, at least 1.
  int length(double mean) {
    double sigma = 0.5;
    double value = mean * Math.exp(sigma * random.nextGaussian() - sigma * sigma / 2);
    return Math.clamp(Math.round(value), 1, 1 << 20);
  }

  /// How often something with the mean `mean` happens if each time may be the last: at least 1.
  int geometric(double mean) {
    double more = 1 - 1 / Math.max(1, mean);
    int count = 1;
    while (count < 10_000 && random.nextDouble() < more) {
      count++;
    }
    return count;
  }

  /// Puts the first `count` of `values` into random order.
  void shuffle(int[] values, int count) {
    for (int i = count - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int swapped = values[i];
      values[i] = values[other];
      values[other] = swapped;
    }
  }

  /// One of `0 .. cumulative.length - 1`, by the weights of [#zipf].
  int pick(double[] cumulative) {
    int at = Arrays.binarySearch(cumulative, random.nextDouble());
    return Math.min(at < 0 ? -at - 1 : at, cumulative.length - 1);
  }

  /// The cumulative weights of `count` things, of which the i-th is wanted in proportion to `1 /
  /// i^exponent` (Zipf's law).
  static double[] zipf(int count, double exponent) {
    double[] cumulative = new double[count];
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.pow(i + 1, -exponent);
      cumulative[i] = sum;
    }
    for (int i = 0; i < count; i++) {
      cumulative[i] /= sum;
    }
    return cumulative;
  }
}
