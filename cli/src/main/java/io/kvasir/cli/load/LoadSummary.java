package io.kvasir.cli.load;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What a run came to. Latencies and tokens are those of requests that were answered to the end.
///
/// @param latencies by name: ttft, itl, tpot, e2e, and how long requests left after their time
/// @param failures how many failed, by reason
/// @param seconds from the first planned time to the last end
/// @param good answers that kept the bounds; -1 where none were set
record LoadSummary(
    Map<String, Samples> latencies,
    int sent,
    int ok,
    Map<String, Integer> failures,
    Tokens tokens,
    double seconds,
    int mostAtOnce,
    int good) {

  record Tokens(long prompt, long cached, long completion) {
    /// Part of the prompts that the server did not compute.
    double cachedShare() {
      return prompt == 0 ? 0 : (double) cached / prompt;
    }
  }

  static LoadSummary of(List<Exchange> exchanges, @Nullable Slo slo) {
    Map<String, Samples> latencies = new LinkedHashMap<>();
    for (String name : List.of("ttft", "itl", "tpot", "e2e", "send delay")) {
      latencies.put(name, new Samples());
    }
    Map<String, Integer> failures = new TreeMap<>();
    long prompt = 0;
    long cached = 0;
    long completion = 0;
    int ok = 0;
    int good = 0;
    for (Exchange exchange : exchanges) {
      String failure = exchange.failure();
      if (failure != null) {
        failures.merge(failure, 1, Integer::sum);
        continue;
      }
      ok++;
      good += slo != null && slo.holds(exchange) ? 1 : 0;
      prompt += exchange.promptTokens();
      cached += exchange.cachedTokens();
      completion += exchange.completionTokens();
      add(latencies, exchange);
    }
    return new LoadSummary(
        latencies,
        exchanges.size(),
        ok,
        failures,
        new Tokens(prompt, cached, completion),
        seconds(exchanges),
        mostAtOnce(exchanges),
        slo == null ? -1 : good);
  }

  private static void add(Map<String, Samples> latencies, Exchange exchange) {
    latencies.forEach((name, samples) -> {
      switch (name) {
        case "ttft" -> samples.add(exchange.ttftNanos());
        case "itl" -> exchange.addGaps(samples);
        case "e2e" -> samples.add(exchange.e2eNanos());
        case "tpot" -> {
          if (exchange.tpotNanos() >= 0) {
            samples.add(exchange.tpotNanos());
          }
        }
        default -> samples.add(exchange.delayNanos());
      }
    });
  }

  private static double seconds(List<Exchange> exchanges) {
    long first = Long.MAX_VALUE;
    long last = Long.MIN_VALUE;
    for (Exchange exchange : exchanges) {
      first = Math.min(first, exchange.scheduledNanos());
      last = Math.max(last, exchange.endNanos());
    }
    return exchanges.isEmpty() ? 0 : Math.max(1, last - first) / 1e9;
  }

  /// Most requests that were under way together.
  private static int mostAtOnce(List<Exchange> exchanges) {
    long[] begins = exchanges.stream().mapToLong(Exchange::sentNanos).sorted().toArray();
    long[] ends = exchanges.stream().mapToLong(Exchange::endNanos).sorted().toArray();
    int most = 0;
    int ended = 0;
    for (int begun = 0; begun < begins.length; begun++) {
      while (ends[ended] <= begins[begun] && ended < begun) {
        ended++;
      }
      most = Math.max(most, begun + 1 - ended);
    }
    return most;
  }

  Samples latency(String name) {
    Samples samples = latencies.get(name);
    return samples == null ? new Samples() : samples;
  }

  double requestRate() {
    return ok / seconds;
  }

  double outputRate() {
    return tokens.completion / seconds;
  }

  double totalRate() {
    return (tokens.completion + tokens.prompt) / seconds;
  }
}
