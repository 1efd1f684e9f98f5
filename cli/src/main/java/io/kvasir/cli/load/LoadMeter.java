package io.kvasir.cli.load;

import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/// A measurement of one server from beginning to end.
///
/// ```java
/// try (LoadMeter meter = LoadMeter.open(url, null, null, factory)) {
///   LoadReport report = meter.run(plan, terms, (done, all) -> {});
/// }
/// ```
public final class LoadMeter implements AutoCloseable {
  private final LinkPool links;
  private final ServerFacts facts;

  private LoadMeter(LinkPool links, ServerFacts facts) {
    this.links = links;
    this.facts = facts;
  }

  /// How requests are sent and judged.
  ///
  /// @param clients most requests at once
  /// @param chat prompts as chat messages of words rather than token ids
  /// @param timeoutSeconds longest time for one request
  /// @param longestSeconds no request begins later; infinite for no limit
  /// @param warmups requests before those that count, one after the other
  /// @param slo what good answers keep; null for nothing
  public record Terms(
      int clients,
      boolean chat,
      boolean ignoreEos,
      double temperature,
      double timeoutSeconds,
      double longestSeconds,
      int warmups,
      @Nullable Slo slo) {}

  /// Reaches a server and asks what it offers.
  ///
  /// @param key bearer token; null for none
  /// @param model name to ask for; null for the server's first
  /// @param tls for `https` URLs; null for the JDK's
  /// @throws IllegalArgumentException where the URL is none
  /// @throws LoadException where the server cannot be reached
  public static LoadMeter open(
      String url, @Nullable String key, @Nullable String model, @Nullable SSLSocketFactory tls) {
    LinkPool links = new LinkPool(HttpTarget.of(url, key, tls));
    return new LoadMeter(links, ServerFacts.ask(links, model));
  }

  public ServerFacts facts() {
    return facts;
  }

  /// Sends warm-up requests, then the plan's.
  ///
  /// @param label what the report calls the plan
  /// @param progress told how many of how many requests have ended
  /// @throws LoadException where a warm-up request fails
  public LoadReport run(
      LoadPlan plan, String label, Terms terms, BiConsumer<Integer, Integer> progress)
      throws InterruptedException {
    CompletionCall call =
        new CompletionCall(
            links,
            new CompletionCall.Form(
                facts.model(),
                terms.chat(),
                terms.ignoreEos(),
                terms.temperature(),
                nanos(terms.timeoutSeconds())));
    warmUp(call, plan, terms.warmups());
    ServerCounters before = ServerCounters.read(links);
    LoadRun run =
        new LoadRun(
            call,
            plan,
            terms.clients(),
            nanos(terms.longestSeconds()),
            done -> progress.accept(done, plan.requestCount()));
    List<Exchange> exchanges = run.run();
    ServerCounters counters = ServerCounters.read(links).since(before);
    LoadReport.Subject subject =
        new LoadReport.Subject(links.target().toString(), facts.model(), label);
    return new LoadReport(subject, exchanges, terms.slo(), counters);
  }

  private static long nanos(double seconds) {
    return (long) Math.min(seconds * 1e9, Long.MAX_VALUE / 4.0);
  }

  /// Requests of the same lengths but other tokens, so that they leave nothing to hit.
  private void warmUp(CompletionCall call, LoadPlan plan, int count) {
    for (int i = 0; i < count; i++) {
      int like = i % plan.requestCount();
      int[] prompt = new int[plan.promptTokens(like)];
      facts.pool().fill(prompt, 0, prompt.length, System.nanoTime() ^ Long.MIN_VALUE);
      Exchange exchange = new Exchange(System.nanoTime());
      call.run(exchange, prompt, plan.outputTokens(like));
      String failure = exchange.failure();
      if (failure != null) {
        throw new LoadException(
            String.format(Locale.ROOT, "the warm-up request failed: %s", failure));
      }
    }
  }

  @Override
  public void close() {
    links.close();
  }
}
