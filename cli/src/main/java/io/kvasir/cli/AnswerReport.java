package io.kvasir.cli;

import io.kvasir.engine.Outcome;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.Sizes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What an answer cost, for people and for programs.
///
/// @param loadNanos time until the model was ready
record AnswerReport(OpenModel model, SamplingOptions sampling, long loadNanos) {

  /// One line for people.
  static String line(Outcome outcome) {
    return String.format(
        Locale.ROOT,
        "prompt %d tokens (%d from the cache), %.1f tokens/s; answer %d tokens, %.1f tokens/s; "
            + "cache %s",
        outcome.promptTokens(),
        outcome.cachedTokens(),
        outcome.prefillRate(),
        outcome.completionTokens(),
        outcome.decodeRate(),
        Sizes.bytes(outcome.cacheBytes()));
  }

  /// One object for programs.
  ///
  /// @param tokenTimes when each token came, in milliseconds; left out where empty
  Json json(String text, Outcome outcome, List<Json> tokenTimes) {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("text", new Json.Str(text));
    fields.put("finish_reason", new Json.Str(outcome.reason().name().toLowerCase(Locale.ROOT)));
    fields.put("model", new Json.Str(model.name()));
    fields.put("architecture", new Json.Str(model.engine().modelConfig().architecture()));
    fields.put("device", new Json.Str(model.backendName()));
    fields.put("kv_format", new Json.Str(model.kvFormat()));
    fields.put("block_tokens", new Json.Int(model.engine().layout().blockTokens()));
    fields.put("seed", new Json.Int(sampling.seed()));
    fields.put("prompt_tokens", new Json.Int(outcome.promptTokens()));
    fields.put("cached_tokens", new Json.Int(outcome.cachedTokens()));
    fields.put("completion_tokens", new Json.Int(outcome.completionTokens()));
    fields.put("cache_bytes", new Json.Int(outcome.cacheBytes()));
    Map<String, Json> timings = new LinkedHashMap<>();
    timings.put("load_ms", millis(loadNanos));
    timings.put("queue_ms", millis(outcome.queueNanos()));
    timings.put("prefill_ms", millis(outcome.prefillNanos()));
    timings.put("decode_ms", millis(outcome.decodeNanos()));
    fields.put("timings", new Json.Obj(timings));
    Map<String, Json> rates = new LinkedHashMap<>();
    rates.put("prefill", new Json.Real(rounded(outcome.prefillRate())));
    rates.put("decode", new Json.Real(rounded(outcome.decodeRate())));
    fields.put("tokens_per_second", new Json.Obj(rates));
    if (!tokenTimes.isEmpty()) {
      fields.put("token_ms", new Json.Arr(tokenTimes));
    }
    return new Json.Obj(fields);
  }

  static Json millis(long nanos) {
    return new Json.Real(rounded(nanos / 1e6));
  }

  private static double rounded(double value) {
    return Math.round(value * 100) / 100.0;
  }
}
