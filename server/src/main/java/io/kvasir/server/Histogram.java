package io.kvasir.server;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.DoubleAdder;

/// A histogram of seconds in Prometheus' form; any thread may record.
final class Histogram {
  private static final double[] BOUNDS = {
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160, 640, 2560
  };

  private final AtomicLongArray counts = new AtomicLongArray(BOUNDS.length + 1);
  private final DoubleAdder sum = new DoubleAdder();

  void record(double seconds) {
    int bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]) {
      bucket++;
    }
    counts.incrementAndGet(bucket);
    sum.add(seconds);
  }

  /// Adds the exposition of this histogram.
  void render(String name, String labels, StringBuilder out) {
    out.append("# TYPE ").append(name).append(" histogram\n");
    long total = 0;
    for (int i = 0; i <= BOUNDS.length; i++) {
      total += counts.get(i);
      String bound = i < BOUNDS.length ? Double.toString(BOUNDS[i]) : "+Inf";
      out.append("%s_bucket{%s,le=\"%s\"} %d\n".formatted(name, labels, bound, total));
    }
    out.append("%s_sum{%s} %s\n".formatted(name, labels, sum.sum()));
    out.append("%s_count{%s} %d\n".formatted(name, labels, total));
  }
}
