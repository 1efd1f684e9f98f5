package io.kvasir.server;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.DoubleAdder;

/// A histogram in Prometheus' form; any thread may record.
final class Histogram {
  private static final double[] SECONDS = {
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160, 640, 2560
  };
  private static final double[] TOKENS = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
    200_000, 500_000, 1_000_000
  };

  private final double[] bounds;
  private final AtomicLongArray counts;
  private final DoubleAdder sum = new DoubleAdder();

  private Histogram(double[] bounds) {
    this.bounds = bounds;
    this.counts = new AtomicLongArray(bounds.length + 1);
  }

  static Histogram ofSeconds() {
    return new Histogram(SECONDS);
  }

  static Histogram ofTokens() {
    return new Histogram(TOKENS);
  }

  void record(double value) {
    int bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) {
      bucket++;
    }
    counts.incrementAndGet(bucket);
    sum.add(value);
  }

  /// Adds the samples of this histogram.
  void render(String name, String labels, StringBuilder out) {
    long total = 0;
    for (int i = 0; i <= bounds.length; i++) {
      total += counts.get(i);
      String bound = i < bounds.length ? Double.toString(bounds[i]) : "+Inf";
      out.append("%s_bucket{%s,le=\"%s\"} %d\n".formatted(name, labels, bound, total));
    }
    out.append("%s_sum{%s} %s\n".formatted(name, labels, sum.sum()));
    out.append("%s_count{%s} %d\n".formatted(name, labels, total));
  }
}
