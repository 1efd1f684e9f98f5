package io.kvasir.cli;

import io.kvasir.model.json.Json;
import io.kvasir.model.plan.Sizes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// One line of the benchmark.
///
/// @param rates tokens per second of each repetition
record BenchResult(Subject subject, Cache cache, BenchCase measured, List<Double> rates) {
  private static final double GIGA = 1e9;

  /// How keys and values were stored.
  ///
  /// @param bits of an element with its share of scales; exact rows beside the codes not counted
  record Cache(String format, double bits, StepTraffic traffic) {}

  /// What was measured.
  ///
  /// @param copyRate bytes read and written per second by a plain copy; 0 where not measured
  record Subject(
      String model,
      long bytes,
      long parameters,
      String device,
      int threads,
      int blockTokens,
      double copyRate) {}

  static final String HEAD =
      """
      | model | size | params | device | threads | kv | bits | kv bytes | batch | test | tokens/s | GB/s | of copy |
      |---|---:|---:|---|---:|---|---:|---:|---:|---|---:|---:|---:|\
      """;

  /// A row under [#HEAD].
  String row() {
    return String.format(
        Locale.ROOT,
        "| %s | %s | %s | %s | %d | %s | %.4g | %s | %d | %s | %.2f ± %.2f | %s |",
        subject.model(),
        Sizes.bytes(subject.bytes()),
        parameters(),
        subject.device(),
        subject.threads(),
        cache.format(),
        cache.bits(),
        Sizes.bytes(cacheBytes()),
        measured.batch(),
        measured.name(),
        mean(),
        deviation(),
        readText());
  }

  /// Bytes of keys and values that the sequences' last tokens read.
  private long cacheBytes() {
    long own = Math.max(1L, measured.prompt()) + measured.generate();
    return cache.traffic().cacheBytes(measured, own);
  }

  /// Bytes that decoding read per second; 0 for prompts, which read little and compute much.
  private double readRate() {
    return measured.generate() == 0
        ? 0
        : mean() / measured.batch() * cache.traffic().stepBytes(measured);
  }

  private String readText() {
    if (measured.generate() == 0) {
      return "- | -";
    }
    String rate = String.format(Locale.ROOT, "%.1f | ", readRate() / GIGA);
    double copy = subject.copyRate();
    return rate + (copy == 0 ? "-" : Math.round(100 * readRate() / copy) + " %");
  }

  private String parameters() {
    double millions = subject.parameters() / 1e6;
    return millions < 1000
        ? String.format(Locale.ROOT, "%.1f M", millions)
        : String.format(Locale.ROOT, "%.1f B", millions / 1000);
  }

  double mean() {
    double sum = 0;
    for (double rate : rates) {
      sum += rate;
    }
    return sum / rates.size();
  }

  /// The standard deviation of the sample, 0 for a single repetition.
  double deviation() {
    double mean = mean();
    double sum = 0;
    for (double rate : rates) {
      sum += (rate - mean) * (rate - mean);
    }
    return rates.size() < 2 ? 0 : Math.sqrt(sum / (rates.size() - 1));
  }

  Json json() {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("model", new Json.Str(subject.model()));
    fields.put("model_bytes", new Json.Int(subject.bytes()));
    fields.put("parameters", new Json.Int(subject.parameters()));
    fields.put("device", new Json.Str(subject.device()));
    fields.put("threads", new Json.Int(subject.threads()));
    fields.put("kv_format", new Json.Str(cache.format()));
    fields.put("kv_bits", new Json.Real(cache.bits()));
    fields.put("block_tokens", new Json.Int(subject.blockTokens()));
    fields.put("test", new Json.Str(measured.name()));
    fields.put("n_prompt", new Json.Int(measured.prompt()));
    fields.put("n_gen", new Json.Int(measured.generate()));
    fields.put("n_depth", new Json.Int(measured.depth()));
    fields.put("batch", new Json.Int(measured.batch()));
    fields.put("shared", new Json.Bool(measured.shared()));
    fields.put("kv_bytes", new Json.Int(cacheBytes()));
    if (measured.generate() > 0) {
      fields.put("step_bytes", new Json.Int(cache.traffic().stepBytes(measured)));
      fields.put("gigabytes_per_second", new Json.Real(readRate() / GIGA));
      fields.put("copy_gigabytes_per_second", new Json.Real(subject.copyRate() / GIGA));
    }
    fields.put("tokens_per_second", new Json.Real(mean()));
    fields.put("deviation", new Json.Real(deviation()));
    List<Json> samples = new ArrayList<>();
    rates.forEach(rate -> samples.add(new Json.Real(rate)));
    fields.put("samples", new Json.Arr(samples));
    return new Json.Obj(fields);
  }
}
