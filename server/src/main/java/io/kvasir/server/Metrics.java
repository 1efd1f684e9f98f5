package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineStats;
import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.kvcache.KvCacheStats;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/// What the server counts, as Prometheus text. Names that begin with `vllm:` mean what they mean in
/// vLLM, so that its dashboards and routers read them.
final class Metrics {
  private final String labels;
  private final Engine engine;
  private final LongAdder promptTokens = new LongAdder();
  private final LongAdder generationTokens = new LongAdder();
  private final Map<FinishReason, LongAdder> ended = new EnumMap<>(FinishReason.class);
  private final LongAdder unknownFields = new LongAdder();
  private final Histogram firstToken = new Histogram();
  private final Histogram endToEnd = new Histogram();
  private final Histogram queue = new Histogram();
  private final Histogram prefill = new Histogram();
  private final Histogram decode = new Histogram();
  private final Pace pace = new Pace();

  Metrics(ServedModel model) {
    this.engine = model.engine();
    String name = model.name().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    this.labels = "model_name=\"" + name + "\",engine=\"0\"";
    for (FinishReason reason : FinishReason.values()) {
      ended.put(reason, new LongAdder());
    }
  }

  /// Counts fields of requests that the server does not know.
  void unknownFields(int count) {
    unknownFields.add(count);
  }

  /// What is happening now.
  Pace pace() {
    return pace;
  }

  /// Counts an answer that was read to its end.
  void ended(Answer answer) {
    Outcome outcome = answer.outcome();
    LongAdder count = ended.get(outcome.reason());
    if (count != null) {
      count.increment();
    }
    promptTokens.add(outcome.promptTokens());
    generationTokens.add(outcome.completionTokens());
    if (outcome.completionTokens() > 0) {
      firstToken.record(seconds(outcome.queueNanos() + outcome.prefillNanos()));
      prefill.record(seconds(outcome.prefillNanos()));
      decode.record(seconds(outcome.decodeNanos()));
    }
    queue.record(seconds(outcome.queueNanos()));
    endToEnd.record(seconds(outcome.queueNanos() + outcome.prefillNanos() + outcome.decodeNanos()));
  }

  private static double seconds(long nanos) {
    return nanos / 1e9;
  }

  /// The state between two steps of the engine.
  String render() {
    EngineStats load = engine.stats();
    KvCacheStats cache = engine.cacheStats();
    StringBuilder out = new StringBuilder(4096);
    value(out, "gauge", "vllm:num_requests_running", "", load.running());
    value(out, "gauge", "vllm:num_requests_waiting", "", load.waiting());
    value(out, "counter", "vllm:num_preemptions_total", "", load.preemptions());
    double usage = (double) cache.heldBlocks() / cache.capacityBlocks();
    value(out, "gauge", "vllm:kv_cache_usage_perc", "", usage);
    String config =
        ",block_size=\"%d\",num_gpu_blocks=\"%d\""
            .formatted(engine.layout().blockTokens(), cache.capacityBlocks());
    value(out, "gauge", "vllm:cache_config_info", config, 1);
    blocks(out, cache);
    counters(out, cache.counters());
    firstToken.render("vllm:time_to_first_token_seconds", labels, out);
    endToEnd.render("vllm:e2e_request_latency_seconds", labels, out);
    queue.render("vllm:request_queue_time_seconds", labels, out);
    prefill.render("vllm:request_prefill_time_seconds", labels, out);
    decode.render("vllm:request_decode_time_seconds", labels, out);
    return out.toString();
  }

  private void blocks(StringBuilder out, KvCacheStats cache) {
    String name = "kvasir_kv_blocks";
    out.append("# TYPE ").append(name).append(" gauge\n");
    sample(out, name, ",tier=\"device\",state=\"live\"", cache.heldBlocks());
    sample(out, name, ",tier=\"device\",state=\"cached\"", cache.cachedBlocks());
    sample(out, name, ",tier=\"device\",state=\"free\"", cache.freeBlocks());
    value(out, "gauge", "kvasir_kv_capacity_blocks", ",tier=\"device\"", cache.capacityBlocks());
  }

  private void counters(StringBuilder out, KvCacheStats.Counters counters) {
    value(out, "counter", "vllm:prefix_cache_queries_total", "", counters.lookupTokens());
    value(out, "counter", "vllm:prefix_cache_hits_total", "", counters.hitTokens());
    value(out, "counter", "vllm:prompt_tokens_total", "", promptTokens.sum());
    value(out, "counter", "vllm:generation_tokens_total", "", generationTokens.sum());
    value(out, "counter", "kvasir_unknown_fields_total", "", unknownFields.sum());
    String name = "vllm:request_success_total";
    out.append("# TYPE ").append(name).append(" counter\n");
    ended.forEach((reason, count) -> sample(out, name, finished(reason), count.sum()));
  }

  private static String finished(FinishReason reason) {
    String name =
        reason == FinishReason.CANCELLED ? "abort" : reason.name().toLowerCase(Locale.ROOT);
    return ",finished_reason=\"" + name + "\"";
  }

  private void value(StringBuilder out, String type, String name, String more, Number value) {
    out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
    sample(out, name, more, value);
  }

  private void sample(StringBuilder out, String name, String more, Number value) {
    out.append(name).append('{').append(labels).append(more).append("} ").append(value);
    out.append('\n');
  }
}
