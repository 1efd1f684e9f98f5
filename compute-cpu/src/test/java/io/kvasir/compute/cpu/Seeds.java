package io.kvasir.compute.cpu;

import java.util.SplittableRandom;

/// Seeds of property tests: a fixed one, or `-Dkvasir.test.seed`.
final class Seeds {
  private Seeds() {}

  static long seed(long standard) {
    String given = System.getProperty("kvasir.test.seed", "");
    return given.isEmpty() ? standard : Long.parseLong(given);
  }

  /// Fails where the two are further apart than `tolerance`; cheaper than an assertion per element.
  static void close(String what, int index, double actual, double expected, double tolerance) {
    if (!(Math.abs(actual - expected) <= tolerance)) {
      throw new AssertionError(
          "%s, element %d: %s is not within %s of %s"
              .formatted(what, index, actual, tolerance, expected));
    }
  }

  /// Fails where the two differ in a bit.
  static void same(String what, int index, float actual, float expected) {
    if (Float.floatToIntBits(actual) != Float.floatToIntBits(expected)) {
      throw new AssertionError(
          "%s, element %d: %s is not exactly %s".formatted(what, index, actual, expected));
    }
  }

  /// `count` normal values of the given spread.
  static float[] normal(SplittableRandom random, int count, double spread) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (random.nextGaussian() * spread);
    }
    return values;
  }
}
