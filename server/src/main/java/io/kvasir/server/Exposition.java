package io.kvasir.server;

/// Prometheus' text form, version 0.0.4.
final class Exposition {
  private final StringBuilder out = new StringBuilder(1 << 14);
  private final String labels;

  /// @param labels those that every sample has
  Exposition(String labels) {
    this.labels = labels;
  }

  /// Begins a metric; its samples follow.
  Exposition type(String name, String type) {
    out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
    return this;
  }

  /// @param more further labels, each with a comma in front
  Exposition sample(String name, String more, Number value) {
    out.append(name).append('{').append(labels).append(more).append("} ").append(value);
    out.append('\n');
    return this;
  }

  void gauge(String name, Number value) {
    type(name, "gauge").sample(name, "", value);
  }

  void counter(String name, Number value) {
    type(name, "counter").sample(name, "", value);
  }

  void histogram(String name, Histogram histogram) {
    type(name, "histogram");
    histogram.render(name, labels, out);
  }

  /// A histogram whose bucket `i` counts values up to `2^i` of a unit and above those before; the
  /// last counts all larger ones.
  ///
  /// @param unit what bucket 0 ends with
  void powers(String name, long[] buckets, double unit, double sum) {
    type(name, "histogram");
    long total = 0;
    for (int i = 0; i < buckets.length; i++) {
      total += buckets[i];
      boolean last = i == buckets.length - 1;
      String bound = last ? "+Inf" : Double.toString(Math.scalb(unit, i));
      sample(name + "_bucket", ",le=\"" + bound + "\"", total);
    }
    sample(name + "_sum", "", sum);
    sample(name + "_count", "", total);
  }

  String text() {
    return out.toString();
  }
}
