package io.kvasir.cli.load;

import java.io.IOException;

/// What the server's own `/metrics` counted; all zero where it has none.
///
/// @param queueSeconds time that requests waited for their first step, summed
/// @param queued requests that time is summed over
record ServerCounters(double queueSeconds, double queued, double preemptions) {
  private static final long TIMEOUT_NANOS = 10_000_000_000L;

  static ServerCounters read(LinkPool links) {
    try {
      String text = links.fetch("GET", "/metrics", null, TIMEOUT_NANOS);
      return parse(text == null ? "" : text);
    } catch (IOException e) {
      return parse("");
    }
  }

  static ServerCounters parse(String text) {
    return new ServerCounters(
        sum(text, "vllm:request_queue_time_seconds_sum"),
        sum(text, "vllm:request_queue_time_seconds_count"),
        sum(text, "vllm:num_preemptions_total"));
  }

  private static double sum(String text, String name) {
    return text.lines()
        .filter(line -> line.startsWith(name + "{") || line.startsWith(name + " "))
        .mapToDouble(line -> number(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  private static double number(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  ServerCounters since(ServerCounters before) {
    return new ServerCounters(
        queueSeconds - before.queueSeconds,
        queued - before.queued,
        preemptions - before.preemptions);
  }

  /// Mean milliseconds in the queue; 0 where the server does not say.
  double meanQueueMillis() {
    return queued > 0 ? 1e3 * queueSeconds / queued : 0;
  }
}
