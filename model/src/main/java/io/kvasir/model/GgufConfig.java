package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// GGUF metadata in the keys of Hugging Face's `config.json`, so that one reader serves both
/// ([ModelDraft]). Keys are those of the GGUF specification, prefixed by the architecture's name.
final class GgufConfig {
  private final GgufMetadata metadata;
  private final String architecture;
  private final Map<String, Json> config = new LinkedHashMap<>();

  private GgufConfig(GgufMetadata metadata, String architecture) {
    this.metadata = metadata;
    this.architecture = architecture;
  }

  static Json read(GgufFile file) {
    String architecture = file.metadata().string("general.architecture");
    if (architecture == null) {
      throw new ModelFormatException(
          "'%s' does not say its 'general.architecture'".formatted(file.path()));
    }
    return new GgufConfig(file.metadata(), architecture).read(file.find("rope_freqs.weight"), file);
  }

  private Json read(@Nullable Tensor ropeDivisors, GgufFile file) {
    config.put("model_type", new Json.Str(architecture));
    integer("hidden_size", "embedding_length");
    integer("num_hidden_layers", "block_count");
    integers("num_attention_heads", "attention.head_count");
    integers("num_key_value_heads", "attention.head_count_kv");
    integer("head_dim", "attention.key_length");
    integer("max_position_embeddings", "context_length");
    real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
    real("layer_norm_eps", "attention.layer_norm_epsilon");
    integer("rotary_dim", "rope.dimension_count");
    integer("sliding_window", "attention.sliding_window");
    real("attn_logit_softcapping", "attn_logit_softcapping");
    real("final_logit_softcapping", "final_logit_softcapping");
    real("logit_scale", "logit_scale");
    scales();
    experts();
    latent();
    rope(ropeDivisors, file);
    bool("use_parallel_residual", "use_parallel_residual");
    config.put("tie_word_embeddings", new Json.Bool(file.find("output.weight") == null));
    return new Json.Obj(config);
  }

  private void scales() {
    real("embedding_multiplier", "embedding_scale");
    real("residual_multiplier", "residual_scale");
    real("attention_multiplier", "attention.scale");
    if (architecture.startsWith("granite")) {
      real("logits_scaling", "logit_scale");
    }
    if (has("attention.sliding_window_pattern")) {
      slidingPattern();
    }
    if (architecture.startsWith("qwen") && has("attention.sliding_window")) {
      config.put("use_sliding_window", new Json.Bool(true));
    }
  }

  /// A number n for "every n-th layer is full", or a flag per layer.
  private void slidingPattern() {
    int[] flags = array("attention.sliding_window_pattern");
    if (flags == null) {
      integer("sliding_window_pattern", "attention.sliding_window_pattern");
      return;
    }
    List<Json> types = new ArrayList<>();
    for (int flag : flags) {
      types.add(new Json.Str(flag != 0 ? "sliding_attention" : "full_attention"));
    }
    config.put("layer_types", new Json.Arr(types));
  }

  private void experts() {
    if (metadata.longOr(key("expert_count"), 0) == 0) {
      return;
    }
    integer("num_experts", "expert_count");
    integer("num_experts_per_tok", "expert_used_count");
    integer("first_k_dense_replace", "leading_dense_block_count");
    real("routed_scaling_factor", "expert_weights_scale");
    bool("norm_topk_prob", "expert_weights_norm");
    integer("n_group", "expert_group_count");
    integer("topk_group", "expert_group_used_count");
    if (metadata.longOr(key("expert_gating_func"), 0) == 2 && architecture.equals("deepseek2")) {
      config.put("model_type", new Json.Str("deepseek_v3"));
    }
  }

  private void latent() {
    if (!has("attention.kv_lora_rank")) {
      return;
    }
    integer("kv_lora_rank", "attention.kv_lora_rank");
    boolean absorbed = has("attention.key_length_mla");
    long keyLength =
        metadata.longOr(key(absorbed ? "attention.key_length_mla" : "attention.key_length"), 0);
    long valueLength =
        metadata.longOr(key(absorbed ? "attention.value_length_mla" : "attention.value_length"), 0);
    long rope = metadata.longOr(key("rope.dimension_count"), 0);
    config.put("qk_rope_head_dim", new Json.Int(rope));
    config.put("qk_nope_head_dim", new Json.Int(keyLength - rope));
    config.put("v_head_dim", new Json.Int(valueLength));
  }

  private void rope(@Nullable Tensor divisors, GgufFile file) {
    Map<String, Json> rope = new LinkedHashMap<>();
    put(rope, "rope_theta", "rope.freq_base");
    put(rope, "factor", "rope.scaling.factor");
    put(rope, "attention_factor", "rope.scaling.attn_factor");
    put(rope, "original_max_position_embeddings", "rope.scaling.original_context_length");
    String rule = metadata.stringOr(key("rope.scaling.type"), "default");
    if (rule.equals("none")) {
      rule = "default";
    }
    if (divisors != null) {
      rope.put("frequency_divisors", numbers(divisors.toFloats()));
    }
    for (String set : List.of("long", "short")) {
      Tensor factors = file.find("rope_factors_" + set + ".weight");
      if (factors != null) {
        rope.put(set + "_factor", numbers(factors.toFloats()));
        rule = "longrope";
      }
    }
    rope.put("rope_type", new Json.Str(rule));
    config.put("rope_parameters", new Json.Obj(rope));
  }

  private static Json numbers(float[] values) {
    List<Json> numbers = new ArrayList<>();
    for (float value : values) {
      numbers.add(new Json.Real(value));
    }
    return new Json.Arr(numbers);
  }

  private String key(String name) {
    return architecture + "." + name;
  }

  private boolean has(String name) {
    return metadata.has(key(name));
  }

  private void integer(String target, String name) {
    if (has(name)) {
      config.put(target, new Json.Int(metadata.longOr(key(name), 0)));
    }
  }

  private void integers(String target, String name) {
    int[] values = array(name);
    if (values == null) {
      integer(target, name);
      return;
    }
    List<Json> numbers = new ArrayList<>();
    for (int value : values) {
      numbers.add(new Json.Int(value));
    }
    config.put(target, new Json.Arr(numbers));
  }

  private int @Nullable [] array(String name) {
    boolean isArray = metadata.find(key(name)) instanceof GgufValue.Array;
    return isArray ? metadata.ints(key(name)) : null;
  }

  private void real(String target, String name) {
    put(config, target, name);
  }

  private void put(Map<String, Json> map, String target, String name) {
    if (has(name)) {
      map.put(target, new Json.Real(metadata.doubleOr(key(name), 0)));
    }
  }

  private void bool(String target, String name) {
    if (has(name)) {
      config.put(target, new Json.Bool(metadata.booleanOr(key(name), false)));
    }
  }
}
