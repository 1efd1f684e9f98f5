package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The `rope_parameters` of a GGUF file, as [RopeScaling] reads them.
///
/// GGUF keeps the frequencies of Llama 3.1, Phi-3 (longrope) and Gemma 4 as divisors in tensors of
/// their own. Its YaRN magnitude is `attn_factor * (0.1 ln s + 1)`, or, with a log multiplier m,
/// `attn_factor` times DeepSeek's ratio `mscale(s, 1) / mscale(s, m)`.
final class GgufRope {
  private final GgufFile file;
  private final GgufMetadata metadata;
  private final String architecture;

  GgufRope(GgufFile file, String architecture) {
    this.file = file;
    this.metadata = file.metadata();
    this.architecture = architecture;
  }

  /// One set for all layers, or one per kind where layers that slide rotate differently.
  Json parameters() {
    Map<String, Json> rope = rules();
    boolean windowed = metadata.intOr(key("attention.sliding_window"), 0) > 0;
    return switch (architecture) {
      case "gemma3" -> byKind(rope, slidingBase(10_000));
      case "gemma4" -> byKind(rope, slidingBase(10_000));
      case "olmo2" -> windowed ? byKind(rope, slidingBase(base())) : new Json.Obj(rope);
      default ->
          metadata.has(key("rope.freq_base_swa"))
              ? byKind(rope, slidingBase(base()))
              : new Json.Obj(rope);
    };
  }

  private static Json byKind(Map<String, Json> full, double slidingBase) {
    Map<String, Json> sliding =
        Map.of("rope_type", new Json.Str("default"), "rope_theta", new Json.Real(slidingBase));
    return new Json.Obj(
        Map.of("full_attention", new Json.Obj(full), "sliding_attention", new Json.Obj(sliding)));
  }

  private double base() {
    return metadata.doubleOr(key("rope.freq_base"), 10_000);
  }

  private double slidingBase(double fallback) {
    return metadata.doubleOr(key("rope.freq_base_swa"), fallback);
  }

  private Map<String, Json> rules() {
    Map<String, Json> rope = new LinkedHashMap<>();
    rope.put("rope_theta", new Json.Real(base()));
    double factor =
        metadata.doubleOr(
            key("rope.scaling.factor"), metadata.doubleOr(key("rope.scale_linear"), 0));
    if (factor > 0) {
      rope.put("factor", new Json.Real(factor));
    }
    put(rope, "original_max_position_embeddings", "rope.scaling.original_context_length");
    put(rope, "beta_fast", "rope.scaling.yarn_beta_fast");
    put(rope, "beta_slow", "rope.scaling.yarn_beta_slow");
    put(rope, "llama_4_scaling_beta", "attention.temperature_scale");
    Tensor divisors = file.find("rope_freqs.weight");
    if (divisors != null) {
      rope.put("frequency_divisors", numbers(divisors));
    }
    String rule = rule(rope, factor);
    rope.put("rope_type", new Json.Str(rule));
    if (rule.equals("yarn")) {
      yarn(rope, factor);
    } else {
      put(rope, "attention_factor", "rope.scaling.attn_factor");
    }
    return rope;
  }

  private String rule(Map<String, Json> rope, double factor) {
    boolean factors = false;
    for (String set : List.of("long", "short")) {
      Tensor tensor = file.find("rope_factors_" + set + ".weight");
      if (tensor != null) {
        rope.put(set + "_factor", numbers(tensor));
        factors = true;
      }
    }
    String stated = metadata.stringOr(key("rope.scaling.type"), factor > 0 ? "linear" : "default");
    if (factors) {
      return "longrope";
    }
    boolean needsFactor = stated.equals("linear") || stated.equals("yarn");
    // Without factors of its own a file cannot mean longrope.
    boolean nothing = stated.equals("none") || stated.equals("longrope");
    return nothing || needsFactor && factor <= 0 ? "default" : stated;
  }

  private void yarn(Map<String, Json> rope, double factor) {
    double multiplier = metadata.doubleOr(key("rope.scaling.yarn_log_multiplier"), 0);
    double magnitude = RopeScaling.yarnMscale(factor, 1);
    if (multiplier != 0) {
      boolean deepSeek = Set.of("deepseek2", "mistral4").contains(architecture);
      // DeepSeek's files hold a tenth of the value, and its two multipliers are always equal.
      double all = deepSeek ? multiplier * 10 : multiplier;
      double own = deepSeek ? all : 1;
      rope.put("mscale_all_dim", new Json.Real(all));
      magnitude = RopeScaling.yarnMscale(factor, own) / RopeScaling.yarnMscale(factor, all);
    }
    double scale = metadata.doubleOr(key("rope.scaling.attn_factor"), 1);
    rope.put("attention_factor", new Json.Real(magnitude * scale));
    if (architecture.equals("gpt-oss")) {
      rope.put("truncate", new Json.Bool(false));
    }
  }

  private String key(String name) {
    return architecture + "." + name;
  }

  private void put(Map<String, Json> map, String target, String name) {
    if (metadata.has(key(name))) {
      map.put(target, new Json.Real(metadata.doubleOr(key(name), 0)));
    }
  }

  private static Json numbers(Tensor tensor) {
    List<Json> numbers = new ArrayList<>();
    for (float value : tensor.toFloats()) {
      numbers.add(new Json.Real(value));
    }
    return new Json.Arr(numbers);
  }
}
