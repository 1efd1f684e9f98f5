package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineSnapshot;
import io.kvasir.engine.EngineStats;
import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.StepStats;
import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.tier.OffloadStats;
import io.kvasir.kvcache.tier.TierStats;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// What the server counts, as Prometheus text. Names that begin with `vllm:` mean what they mean in
/// vLLM, so that its dashboards and routers read them. A scrape reads what the engine published
/// last and waits for nothing.
final class Metrics {
  private final String labels;
  private final Engine engine;
  private final LongAdder promptTokens = new LongAdder();
  private final LongAdder cachedTokens = new LongAdder();
  private final LongAdder generationTokens = new LongAdder();
  private final Map<FinishReason, LongAdder> ended = new EnumMap<>(FinishReason.class);
  private final Map<String, LongAdder> missed = new ConcurrentHashMap<>();
  private final LongAdder unknownFields = new LongAdder();
  private final Histogram firstToken = Histogram.ofSeconds();
  private final Histogram nextToken = Histogram.ofSeconds();
  private final Histogram perToken = Histogram.ofSeconds();
  private final Histogram endToEnd = Histogram.ofSeconds();
  private final Histogram queue = Histogram.ofSeconds();
  private final Histogram prefill = Histogram.ofSeconds();
  private final Histogram decode = Histogram.ofSeconds();
  private final Histogram inference = Histogram.ofSeconds();
  private final Histogram prompts = Histogram.ofTokens();
  private final Histogram answers = Histogram.ofTokens();
  private final Pace pace = new Pace(nextToken);

  Metrics(ServedModel model) {
    this.engine = model.engine();
    String name = model.name().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    this.labels = "model_name=\"" + name + "\",engine=\"0\"";
    for (FinishReason reason : FinishReason.values()) {
      ended.put(reason, new LongAdder());
    }
    for (PrefixMiss.Reason reason : PrefixMiss.Reason.values()) {
      missed.put(name(reason), new LongAdder());
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
    count(ended.get(outcome.reason()), 1);
    if (!outcome.started()) {
      return;
    }
    int completion = outcome.completionTokens();
    int computed = outcome.promptTokens() - outcome.cachedTokens();
    promptTokens.add(outcome.promptTokens());
    cachedTokens.add(outcome.cachedTokens());
    generationTokens.add(completion);
    count(missed.get(name(outcome.miss().reason())), computed);
    prompts.record(outcome.promptTokens());
    answers.record(completion);
    if (completion > 0) {
      firstToken.record(seconds(outcome.queueNanos() + outcome.prefillNanos()));
      prefill.record(seconds(outcome.prefillNanos()));
      decode.record(seconds(outcome.decodeNanos()));
    }
    if (completion > 1) {
      perToken.record(seconds(outcome.decodeNanos()) / (completion - 1));
    }
    queue.record(seconds(outcome.queueNanos()));
    inference.record(seconds(outcome.prefillNanos() + outcome.decodeNanos()));
    endToEnd.record(seconds(outcome.queueNanos() + outcome.prefillNanos() + outcome.decodeNanos()));
  }

  private static void count(@Nullable LongAdder adder, long value) {
    if (adder != null) {
      adder.add(value);
    }
  }

  private static double seconds(long nanos) {
    return nanos / 1e9;
  }

  /// Why prompt tokens were computed. Where all whole blocks were found, or there is none, what is
  /// left is part of a block.
  private static String name(PrefixMiss.Reason reason) {
    return switch (reason) {
      case NONE, SHORT -> "partial";
      case NEW -> "new";
      case EVICTED -> "evicted";
      case SALT -> "salt";
      case GROUP -> "group";
    };
  }

  /// The state that the engine published last.
  String render() {
    EngineSnapshot state = engine.snapshot();
    Exposition out = new Exposition(labels);
    load(out, state.load());
    cache(out, state.cache());
    OffloadStats offload = state.offload();
    if (offload != null) {
      tiers(out, offload);
    }
    requests(out);
    steps(out, state.steps());
    out.counter("kvasir_audits_total", state.audits().runs());
    out.counter("kvasir_audit_violations_total", state.audits().violations());
    out.gauge("kvasir_snapshot_age_seconds", seconds(System.nanoTime() - state.takenNanos()));
    return out.text();
  }

  private static void load(Exposition out, EngineStats load) {
    out.gauge("vllm:num_requests_running", load.running());
    out.gauge("vllm:num_requests_waiting", load.waiting());
    out.gauge("kvasir_tenants_active", load.tenants());
    out.counter("vllm:num_preemptions_total", load.preemptions());
    out.counter("kvasir_recomputed_tokens_total", load.recomputedTokens());
    out.counter("kvasir_pruned_tokens_total", load.prunedTokens());
    String name = "vllm:lora_requests_info";
    String none = ",max_lora=\"0\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"";
    out.type(name, "gauge").sample(name, none, System.currentTimeMillis() / 1_000);
  }

  private void cache(Exposition out, KvCacheStats cache) {
    out.gauge("vllm:kv_cache_usage_perc", (double) cache.heldBlocks() / cache.capacityBlocks());
    String info = "vllm:cache_config_info";
    String config =
        ",block_size=\"%d\",num_gpu_blocks=\"%d\""
            .formatted(engine.layout().blockTokens(), cache.capacityBlocks());
    out.type(info, "gauge").sample(info, config, 1);
    String name = "kvasir_kv_blocks";
    out.type(name, "gauge");
    out.sample(name, ",tier=\"device\",state=\"live\"", cache.heldBlocks());
    out.sample(name, ",tier=\"device\",state=\"cached\"", cache.cachedBlocks());
    out.sample(name, ",tier=\"device\",state=\"free\"", cache.freeBlocks());
    String capacity = "kvasir_kv_capacity_blocks";
    out.type(capacity, "gauge").sample(capacity, ",tier=\"device\"", cache.capacityBlocks());
    out.gauge("kvasir_kv_shared_blocks", cache.sharedBlocks());
    bytes(out, cache);
    out.gauge("kvasir_kv_pins", cache.pins());
    KvCacheStats.Counters counters = cache.counters();
    out.counter("vllm:prefix_cache_queries_total", counters.lookupTokens());
    out.counter("vllm:prefix_cache_hits_total", counters.hitTokens());
    out.counter("kvasir_kv_evicted_blocks_total", counters.evictedBlocks());
  }

  private void bytes(Exposition out, KvCacheStats cache) {
    long block = cache.blockBytes();
    String name = "kvasir_kv_bytes";
    out.type(name, "gauge");
    out.sample(name, ",tier=\"device\",state=\"live\"", cache.heldBlocks() * block);
    out.sample(name, ",tier=\"device\",state=\"cached\"", cache.cachedBlocks() * block);
    out.sample(name, ",tier=\"device\",state=\"free\"", cache.freeBlocks() * block);
    String capacity = "kvasir_kv_capacity_bytes";
    out.type(capacity, "gauge");
    out.sample(capacity, ",tier=\"device\"", cache.capacityBlocks() * block);
    out.gauge("kvasir_kv_resident_bytes", cache.residentBytes());
    String token = "kvasir_kv_token_bytes";
    out.type(token, "gauge");
    TokenBytes.of(engine.layout()).forEach((labels, bytes) -> out.sample(token, labels, bytes));
  }

  private static void tiers(Exposition out, OffloadStats offload) {
    Map<String, TierStats> tiers = new TreeMap<>();
    offload.tiers().forEach(tier -> tiers.put(",tier=\"" + tier.name() + "\"", tier.stats()));
    String blocks = "kvasir_tier_blocks";
    out.type(blocks, "gauge");
    tiers.forEach((tier, stats) -> out.sample(blocks, tier, stats.blocks()));
    String bytes = "kvasir_tier_bytes";
    out.type(bytes, "gauge");
    tiers.forEach((tier, stats) -> out.sample(bytes, tier, stats.bytes()));
    String hits = "kvasir_tier_hits_total";
    out.type(hits, "counter");
    tiers.forEach((tier, stats) -> out.sample(hits, tier, stats.hits()));
    String stored = "kvasir_tier_stored_total";
    out.type(stored, "counter");
    tiers.forEach((tier, stats) -> out.sample(stored, tier, stats.stored()));
    String failures = "kvasir_tier_failures_total";
    out.type(failures, "counter");
    tiers.forEach((tier, stats) -> out.sample(failures, tier, stats.failures()));
    out.counter("kvasir_promoted_blocks_total", offload.promotedBlocks());
  }

  private void requests(Exposition out) {
    long cached = cachedTokens.sum();
    long prompt = promptTokens.sum();
    out.counter("vllm:prompt_tokens_total", prompt);
    out.counter("vllm:generation_tokens_total", generationTokens.sum());
    out.counter("kvasir_unknown_fields_total", unknownFields.sum());
    String finished = "vllm:request_success_total";
    out.type(finished, "counter");
    ended.forEach((reason, count) ->
        out.sample(finished, ",finished_reason=\"" + name(reason) + "\"", count.sum()));
    String source = "kvasir_prompt_tokens_by_source_total";
    out.type(source, "counter");
    out.sample(source, ",source=\"computed\"", prompt - cached);
    out.sample(source, ",source=\"hbm\"", cached);
    String miss = "kvasir_prefix_miss_tokens_total";
    out.type(miss, "counter");
    new TreeMap<>(missed)
        .forEach((reason, count) -> out.sample(miss, ",reason=\"" + reason + "\"", count.sum()));
    out.histogram("vllm:time_to_first_token_seconds", firstToken);
    out.histogram("vllm:inter_token_latency_seconds", nextToken);
    out.histogram("vllm:request_time_per_output_token_seconds", perToken);
    out.histogram("vllm:e2e_request_latency_seconds", endToEnd);
    out.histogram("vllm:request_queue_time_seconds", queue);
    out.histogram("vllm:request_prefill_time_seconds", prefill);
    out.histogram("vllm:request_decode_time_seconds", decode);
    out.histogram("vllm:request_inference_time_seconds", inference);
    out.histogram("vllm:request_prompt_tokens", prompts);
    out.histogram("vllm:request_generation_tokens", answers);
  }

  private static String name(FinishReason reason) {
    return reason == FinishReason.CANCELLED ? "abort" : reason.name().toLowerCase(Locale.ROOT);
  }

  private static void steps(Exposition out, StepStats steps) {
    out.powers("vllm:iteration_tokens_total", steps.stepTokens(), 1, (double) steps.tokens());
    out.powers("kvasir_step_seconds", steps.stepMicros(), 1e-6, seconds(steps.stepNanos()));
    out.powers("kvasir_host_stall_seconds", steps.hostMicros(), 1e-6, seconds(steps.hostNanos()));
  }
}
