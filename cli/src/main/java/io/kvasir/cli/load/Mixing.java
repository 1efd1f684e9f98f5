package io.kvasir.cli.load;

/// Makes one seed of two numbers.
final class Mixing {
  private Mixing() {}

  /// The finalizer of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators"
  /// (OOPSLA 2014), over both.
  static long mix(long a, long b) {
    long z = a + 0x9e3779b97f4a7c15L * (b + 1);
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
