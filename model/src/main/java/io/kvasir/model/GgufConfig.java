package io.kvasir.model;

import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// GGUF metadata in the keys of Hugging Face's `config.json`, so that one reader serves both
/// ([ModelDraft]). Keys are those of the GGUF specification, prefixed by the architecture's name;
/// what a file leaves unsaid is what llama.cpp takes it to mean.
final class GgufConfig {
  /// Activations, which files do not state; SwiGLU's where an architecture is not listed.
  private static final Map<String, String> ACTIVATIONS =
      Map.of(
          "falcon", "gelu",
          "gpt2", "gelu_new",
          "gptneox", "gelu",
          "nemotron", "relu2",
          "phi2", "gelu_new",
          "starcoder", "gelu_new",
          "starcoder2", "gelu_pytorch_tanh");

  /// Every n-th layer sees all positions where the file has a window but no pattern.
  private static final Map<String, Integer> WINDOW_PERIODS =
      Map.of("gemma2", 2, "gemma3", 6, "cohere2", 4, "exaone4", 4, "olmo2", 4, "gpt-oss", 2);

  /// Architectures whose expert weights are normalized only where the file says so.
  private static final Set<String> NOT_NORMALIZED =
      Set.of(
          "bailingmoe",
          "bailingmoe2",
          "deepseek",
          "deepseek2",
          "dots1",
          "glm4moe",
          "olmoe",
          "qwen2moe");

  private static final int GATED_BY_SIGMOID = 2;

  private final GgufMetadata metadata;
  private final String architecture;
  private final GgufFile file;
  private final Map<String, Json> config = new LinkedHashMap<>();

  private GgufConfig(GgufFile file, String architecture) {
    this.metadata = file.metadata();
    this.architecture = architecture;
    this.file = file;
  }

  static Json read(GgufFile file) {
    String architecture = file.metadata().string("general.architecture");
    if (architecture == null) {
      throw new ModelFormatException(
          "'%s' does not say its 'general.architecture'".formatted(file.path()));
    }
    return new GgufConfig(file, architecture).read();
  }

  private Json read() {
    config.put("model_type", new Json.Str(architecture));
    String activation = ACTIVATIONS.get(architecture);
    if (activation != null) {
      config.put("hidden_act", new Json.Str(activation));
    }
    integer("hidden_size", "embedding_length");
    integer("vocab_size", "vocab_size");
    // Layers that predict tokens further ahead are counted, but no part of the model proper.
    long layers = number("block_count") - number("nextn_predict_layers");
    config.put("num_hidden_layers", new Json.Int(layers));
    integers("num_attention_heads", "attention.head_count");
    integers("num_key_value_heads", "attention.head_count_kv");
    integer("max_position_embeddings", "context_length");
    real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
    real("layer_norm_eps", "attention.layer_norm_epsilon");
    bool("use_parallel_residual", "use_parallel_residual");
    headSizes();
    window();
    scales();
    experts();
    latent();
    config.put("rope_parameters", new GgufRope(file, architecture).parameters());
    config.put("tie_word_embeddings", new Json.Bool(file.find("output.weight") == null));
    return new Json.Obj(config);
  }

  /// Gemma 4 alone has heads of two sizes: its plain keys describe the layers that see everything.
  private void headSizes() {
    integer("head_dim", "attention.key_length");
    integer("rotary_dim", "rope.dimension_count");
    integer("num_kv_shared_layers", "attention.shared_kv_layers");
    if (has("attention.key_length_swa")) {
      integer("global_head_dim", "attention.key_length");
      integer("head_dim", "attention.key_length_swa");
      integer("rotary_dim", "rope.dimension_count_swa");
    }
  }

  private void window() {
    long window = number("attention.sliding_window");
    if (window <= 0) {
      return;
    }
    integer("sliding_window", "attention.sliding_window");
    config.put("use_sliding_window", new Json.Bool(true));
    int layers = config.getOrDefault("num_hidden_layers", new Json.Int(0)).asInt();
    int[] flags = array("attention.sliding_window_pattern");
    int period =
        flags != null
            ? 0
            : metadata.intOr(
                key("attention.sliding_window_pattern"),
                WINDOW_PERIODS.getOrDefault(architecture, 0));
    List<Json> types = new ArrayList<>();
    for (int i = 0; i < Math.clamp(layers, 0, 10_000); i++) {
      boolean slides =
          flags != null
              ? i < flags.length && flags[i] != 0
              : period == 0 || i % period < period - 1;
      types.add(new Json.Str(slides ? "sliding_attention" : "full_attention"));
    }
    config.put("layer_types", new Json.Arr(types));
  }

  private void scales() {
    real("embedding_multiplier", "embedding_scale");
    real("residual_multiplier", "residual_scale");
    real("attention_multiplier", "attention.scale");
    real(GgufNames.isScaled(architecture) ? "logits_scaling" : "logit_scale", "logit_scale");
    quirks();
    if (!metadata.booleanOr(key("rope.scaling.finetuned"), true)) {
      config.put("position_embedding_type", new Json.Str("nope"));
    }
    boolean gemma2 = architecture.equals("gemma2");
    softcap("attn_logit_softcapping", gemma2 ? 50 : 0);
    softcap("final_logit_softcapping", gemma2 || architecture.equals("gemma4") ? 30 : 0);
    queryScalar();
  }

  /// What some architectures alone state, or take for granted.
  private void quirks() {
    real("clip_qkv", "attention.clamp_kqv");
    switch (architecture) {
      case "afmoe" -> config.put("mup_enabled", new Json.Bool(true));
      case "falcon" -> config.put("alibi", new Json.Bool(has("attention.max_alibi_bias")));
      case "mpt" -> {
        double bias = metadata.doubleOr(key("attention.max_alibi_bias"), 0);
        Map<String, Json> attention = new LinkedHashMap<>();
        attention.put("alibi", new Json.Bool(bias > 0));
        attention.put("alibi_bias_max", new Json.Real(bias));
        attention.put("clip_qkv", new Json.Real(metadata.doubleOr(key("attention.clamp_kqv"), 0)));
        config.put("attn_config", new Json.Obj(attention));
      }
      case "minicpm", "minicpm3" -> {
        if (!has("embedding_scale")) {
          config.put("scale_emb", new Json.Int(12));
          config.put("scale_depth", new Json.Real(1.4));
          config.put("dim_model_base", new Json.Int(256));
        }
      }
      case "llama4" -> llama4();
      default -> {
        // Nothing else differs.
      }
    }
  }

  private void llama4() {
    real("attn_scale", "attention.temperature_scale");
    integer("floor_scale", "attention.temperature_length");
    integer("attention_chunk_size", "attention.chunk_size");
    integer("no_rope_layer_interval", "no_rope_layer_step");
    // The model of 128 experts does without; files of other writers do not say so.
    boolean normalized =
        metadata.booleanOr(key("attention.qk_norm"), number("expert_count") != 128);
    config.put("use_qk_norm", new Json.Bool(normalized));
  }

  private void softcap(String name, double fallback) {
    double cap = metadata.doubleOr(key(name), fallback);
    if (cap != 0) {
      config.put(name, new Json.Real(cap));
    }
  }

  /// The 27B models of Gemma 2 and 3 scale by the width per head instead of the head size; files do
  /// not say so, but the number of layers tells.
  private void queryScalar() {
    long layers = number("block_count");
    boolean byWidth =
        architecture.equals("gemma2") && layers == 46
            || architecture.equals("gemma3") && layers == 62;
    double scale = metadata.doubleOr(key("attention.scale"), 0);
    if (scale > 0) {
      config.put("query_pre_attn_scalar", new Json.Real(1 / (scale * scale)));
    } else if (byWidth && number("attention.head_count") > 0) {
      long scalar = number("embedding_length") / number("attention.head_count");
      config.put("query_pre_attn_scalar", new Json.Int(scalar));
    }
  }

  private void experts() {
    if (number("expert_count") == 0) {
      return;
    }
    integer("num_experts", "expert_count");
    integer("num_experts_per_tok", "expert_used_count");
    integer("first_k_dense_replace", "leading_dense_block_count");
    double scale = metadata.doubleOr(key("expert_weights_scale"), 0);
    config.put("routed_scaling_factor", new Json.Real(scale == 0 ? 1 : scale));
    boolean normalize =
        metadata.booleanOr(key("expert_weights_norm"), !NOT_NORMALIZED.contains(architecture));
    config.put("norm_topk_prob", new Json.Bool(normalize));
    integer("n_group", "expert_group_count");
    integer("topk_group", "expert_group_used_count");
    if (architecture.equals("deepseek2")) {
      boolean sigmoid = number("expert_gating_func") == GATED_BY_SIGMOID;
      config.put("model_type", new Json.Str(sigmoid ? "deepseek_v3" : "deepseek_v2"));
      boolean limited = number("expert_group_count") > 1;
      config.put("topk_method", new Json.Str(limited ? "group_limited_greedy" : "greedy"));
    }
  }

  private void latent() {
    if (!has("attention.kv_lora_rank")) {
      return;
    }
    integer("kv_lora_rank", "attention.kv_lora_rank");
    boolean absorbed = has("attention.key_length_mla");
    long keyLength = number(absorbed ? "attention.key_length_mla" : "attention.key_length");
    long valueLength = number(absorbed ? "attention.value_length_mla" : "attention.value_length");
    long rope = number("rope.dimension_count");
    config.put("qk_rope_head_dim", new Json.Int(rope));
    config.put("qk_nope_head_dim", new Json.Int(keyLength - rope));
    config.put("v_head_dim", new Json.Int(valueLength));
  }

  private String key(String name) {
    return architecture + "." + name;
  }

  private boolean has(String name) {
    return metadata.has(key(name));
  }

  /// A number, or the first of a list; 0 where the file does not say.
  private long number(String name) {
    int[] values = array(name);
    if (values != null) {
      return values.length == 0 ? 0 : values[0];
    }
    return metadata.longOr(key(name), 0);
  }

  private void integer(String target, String name) {
    if (has(name)) {
      config.put(target, new Json.Int(number(name)));
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
    if (has(name)) {
      config.put(target, new Json.Real(metadata.doubleOr(key(name), 0)));
    }
  }

  private void bool(String target, String name) {
    if (has(name)) {
      config.put(target, new Json.Bool(metadata.booleanOr(key(name), false)));
    }
  }
}
