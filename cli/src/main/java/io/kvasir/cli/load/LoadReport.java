package io.kvasir.cli.load;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What was measured, as a table, as JSON and as a page.
public final class LoadReport {
  private final Subject subject;
  private final List<Exchange> exchanges;
  private final @Nullable Slo slo;
  private final ServerCounters server;
  private final LoadSummary summary;

  /// What was measured.
  ///
  /// @param load how requests came and what they were, in words
  record Subject(String url, String model, String load) {}

  LoadReport(Subject subject, List<Exchange> exchanges, @Nullable Slo slo, ServerCounters server) {
    this.subject = subject;
    this.exchanges = exchanges;
    this.slo = slo;
    this.server = server;
    this.summary = LoadSummary.of(exchanges, slo);
  }

  /// Requests that were answered to the end.
  public int ok() {
    return summary.ok();
  }

  /// The commonest reason of failures; empty where there was none.
  public String mainFailure() {
    return summary.failures().entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse("");
  }

  // ---- Table -----------------------------------------------------------------------------------

  public String table() {
    StringBuilder out = new StringBuilder();
    lines().forEach((name, value) -> out.append("%-17s %s%n".formatted(name, value)));
    out.append('\n');
    String row = "%-17s %9s %9s %9s %9s %9s %9s%n";
    out.append(row.formatted("milliseconds", "mean", "p50", "p90", "p95", "p99", "max"));
    summary
        .latencies()
        .forEach((name, samples) ->
            out.append(
                row.formatted(
                    name,
                    millis(Math.round(samples.mean())),
                    millis(samples.percentile(50)),
                    millis(samples.percentile(90)),
                    millis(samples.percentile(95)),
                    millis(samples.percentile(99)),
                    millis(samples.max()))));
    return out.toString();
  }

  static String millis(long nanos) {
    return Numbers.shown(nanos / 1e6);
  }

  /// The figures that are not percentiles, by name.
  Map<String, String> lines() {
    Map<String, String> lines = new LinkedHashMap<>();
    lines.put("server", subject.url() + ", model " + subject.model());
    lines.put("load", subject.load());
    lines.put(
        "requests",
        "%d ok, %d failed, in %s s; %s per second; at most %d at once"
            .formatted(
                summary.ok(),
                summary.sent() - summary.ok(),
                Numbers.shown(summary.seconds()),
                Numbers.shown(summary.requestRate()),
                summary.mostAtOnce()));
    if (!summary.failures().isEmpty()) {
      List<String> failures = new ArrayList<>();
      summary.failures().forEach((reason, count) -> failures.add(count + " x " + reason));
      lines.put("failed", String.join("; ", failures));
    }
    LoadSummary.Tokens tokens = summary.tokens();
    lines.put(
        "tokens",
        "%d prompt (%s cached), %d output"
            .formatted(
                tokens.prompt(), Numbers.percent(tokens.cachedShare()), tokens.completion()));
    lines.put(
        "tokens/s",
        "%s output, %s in all"
            .formatted(Numbers.shown(summary.outputRate()), Numbers.shown(summary.totalRate())));
    if (slo != null) {
      lines.put(
          "goodput",
          "%s requests per second, %s of all, with %s"
              .formatted(
                  Numbers.shown(summary.good() / summary.seconds()),
                  Numbers.percent((double) summary.good() / Math.max(1, summary.sent())),
                  slo));
    }
    if (server.queued() > 0) {
      lines.put(
          "server's queue",
          "%s ms on average; %.0f preemptions"
              .formatted(Numbers.shown(server.meanQueueMillis()), server.preemptions()));
    }
    return lines;
  }

  // ---- JSON ------------------------------------------------------------------------------------

  public Json json() {
    Map<String, Json> report = new LinkedHashMap<>();
    report.put("url", new Json.Str(subject.url()));
    report.put("model", new Json.Str(subject.model()));
    report.put("load", new Json.Str(subject.load()));
    report.put("duration_s", new Json.Real(summary.seconds()));
    report.put("requests", requests());
    report.put("tokens", tokens());
    report.put("requests_per_s", new Json.Real(summary.requestRate()));
    report.put("output_tokens_per_s", new Json.Real(summary.outputRate()));
    report.put("total_tokens_per_s", new Json.Real(summary.totalRate()));
    Map<String, Json> latencies = new LinkedHashMap<>();
    summary
        .latencies()
        .forEach((name, samples) -> latencies.put(name.replace(' ', '_'), distribution(samples)));
    report.put("latency_ms", new Json.Obj(latencies));
    if (slo != null) {
      Map<String, Json> good = new LinkedHashMap<>();
      good.put("slo", new Json.Str(slo.toString()));
      good.put("requests", new Json.Int(summary.good()));
      good.put("share", new Json.Real((double) summary.good() / Math.max(1, summary.sent())));
      good.put("requests_per_s", new Json.Real(summary.good() / summary.seconds()));
      report.put("goodput", new Json.Obj(good));
    }
    if (server.queued() > 0) {
      Map<String, Json> counted = new LinkedHashMap<>();
      counted.put("mean_queue_ms", new Json.Real(server.meanQueueMillis()));
      counted.put("preemptions", new Json.Int((long) server.preemptions()));
      report.put("server", new Json.Obj(counted));
    }
    return new Json.Obj(report);
  }

  private Json requests() {
    Map<String, Json> failures = new LinkedHashMap<>();
    summary.failures().forEach((reason, count) -> failures.put(reason, new Json.Int(count)));
    Map<String, Json> requests = new LinkedHashMap<>();
    requests.put("sent", new Json.Int(summary.sent()));
    requests.put("ok", new Json.Int(summary.ok()));
    requests.put("failed", new Json.Int(summary.sent() - summary.ok()));
    requests.put("failures", new Json.Obj(failures));
    requests.put("most_at_once", new Json.Int(summary.mostAtOnce()));
    return new Json.Obj(requests);
  }

  private Json tokens() {
    Map<String, Json> tokens = new LinkedHashMap<>();
    tokens.put("prompt", new Json.Int(summary.tokens().prompt()));
    tokens.put("cached", new Json.Int(summary.tokens().cached()));
    tokens.put("completion", new Json.Int(summary.tokens().completion()));
    tokens.put("cached_share", new Json.Real(summary.tokens().cachedShare()));
    return new Json.Obj(tokens);
  }

  private static Json distribution(Samples samples) {
    Map<String, Json> values = new LinkedHashMap<>();
    values.put("count", new Json.Int(samples.count()));
    values.put("mean", new Json.Real(samples.mean() / 1e6));
    for (int percent : new int[] {50, 90, 95, 99}) {
      values.put("p" + percent, new Json.Real(samples.percentile(percent) / 1e6));
    }
    values.put("max", new Json.Real(samples.max() / 1e6));
    return new Json.Obj(values);
  }

  // ---- Page ------------------------------------------------------------------------------------

  /// A whole HTML page that needs nothing else.
  public String page() {
    return LoadPage.of(
        String.format(Locale.ROOT, "Load on %s", subject.model()), this, summary, exchanges);
  }
}
