package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.List;

/// What families of the GPT-2 line and other early ones derive from their configuration, ALiBi and
/// learned positions among it; see [Families].
final class OlderFamilies {
  private OlderFamilies() {}

  static void falcon(ModelDraft d) {
    if (d.config.booleanOr("alibi", false)) {
      // Falcon adds the slopes before it divides by the root of the head size.
      alibi(d, 8, 1 / Math.sqrt(d.headDim[0]));
    }
    boolean grouped = d.config.booleanOr("new_decoder_architecture", false);
    boolean single = d.config.booleanOr("multi_query", true) && !grouped;
    int kvHeads = grouped ? d.optional(d.heads[0], "num_kv_heads") : single ? 1 : d.heads[0];
    d.kvHeads = d.filled(d.config.has("num_key_value_heads") ? d.kvHeads[0] : kvHeads);
    d.groupedQkv = !single;
    d.parallel =
        grouped
            || d.config.booleanOr(
                "parallel_attn", d.config.booleanOr("use_parallel_residual", true));
    if (!d.config.has("activation")) {
      d.activation = Activation.GELU;
    }
  }

  static void learnedPositions(ModelDraft d) {
    d.rotates = layer -> false;
    if (!d.config.has("activation_function")) {
      d.activation = Activation.GELU_TANH;
    }
  }

  static void bigCode(ModelDraft d) {
    learnedPositions(d);
    if (d.config.booleanOr("multi_query", true)) {
      d.kvHeads = d.filled(1);
    } else {
      d.groupedQkv = true;
    }
  }

  static void neox(ModelDraft d) {
    d.parallel = d.config.booleanOr("use_parallel_residual", true);
    if (!d.config.has("rotary_pct") && !d.config.has("rope_parameters")) {
      d.rotaryDim = d.filled(d.headDim[0] / 4);
    }
    if (!d.config.has("hidden_act")) {
      d.activation = Activation.GELU;
    }
  }

  /// Positions as a bias of attention instead of a rotation.
  static void alibi(ModelDraft d, double max, double scale) {
    d.rotates = layer -> false;
    d.rules = d.rules.alibi(max, scale);
  }

  static void bloom(ModelDraft d) {
    alibi(d, 8, 1);
    d.activation = Activation.GELU_TANH;
    if (d.config.booleanOr("apply_residual_connection_post_layernorm", false)) {
      throw new UnsupportedModelException(
          "this BLOOM adds normalized residuals (apply_residual_connection_post_layernorm), which is not supported");
    }
  }

  static void mpt(ModelDraft d) {
    Json attention = d.config.get("attn_config");
    d.rotates = layer -> false;
    d.activation = Activation.GELU;
    if (attention.booleanOr("alibi", true)) {
      alibi(d, attention.doubleOr("alibi_bias_max", 8), 1);
    }
    d.rules = d.rules.clip((float) attention.doubleOr("clip_qkv", 0));
    d.kvHeads = d.filled(attention.intOr("kv_n_heads", d.kvHeads[0]));
    d.attentionScale = (float) attention.doubleOr("softmax_scale", d.attentionScale);
  }

  static void gptj(ModelDraft d) {
    if (!d.config.has("activation_function")) {
      d.activation = Activation.GELU_TANH;
    }
  }

  static void opt(ModelDraft d) {
    d.rotates = layer -> false;
    d.positionOffset = 2;
    if (!d.config.has("activation_function")) {
      d.activation = Activation.RELU;
    }
    boolean narrow = d.optional(d.width, "word_embed_proj_dim") != d.width;
    if (narrow || !d.config.booleanOr("do_layer_norm_before", true)) {
      throw new UnsupportedModelException(
          "this OPT normalizes after its branches or projects its embeddings, which is not supported; OPT models other than 350m are");
    }
  }

  static void gptNeo(ModelDraft d) {
    learnedPositions(d);
    d.attentionScale = 1;
    List<Boolean> local = new ArrayList<>();
    for (Json kind : d.config.get("attention_layers").asList()) {
      local.add("local".equals(kind.asString()));
    }
    for (Json group : d.config.get("attention_types").asList()) {
      List<Json> parts = group.asList();
      int times = local.size() >= d.layerCount || parts.size() < 2 ? 0 : parts.get(1).asInt();
      for (int i = 0; i < Math.clamp(times, 0, d.layerCount); i++) {
        parts.getFirst().asList().forEach(kind -> local.add("local".equals(kind.asString())));
      }
    }
    if (!local.isEmpty()) {
      d.window = d.optional(256, "window_size");
      d.slides = layer -> layer < local.size() && local.get(layer);
    }
  }

  static void persimmon(ModelDraft d) {
    if (!d.config.has("hidden_act")) {
      d.activation = Activation.RELU_SQUARED;
    }
    if (!d.config.has("partial_rotary_factor") && !d.config.has("rope_parameters")) {
      d.rotaryDim = d.filled(d.headDim[0] / 2);
    }
  }

  /// The 13B models, of 40 layers, have ALiBi where the 7B ones rotate; nothing else tells.
  static void baichuan(ModelDraft d) {
    if (d.layerCount == 40) {
      alibi(d, 8, 1);
    }
    if (d.optional(0, "vocab_size") == 125_696 && d.config.has("model_max_length")) {
      throw new UnsupportedModelException(
          "Baichuan 2 normalizes its output matrix, which is not supported; Baichuan 1 is");
    }
  }

  /// Up to its training length a Qwen 1 does without its scaled rotation and logits.
  static void qwen1(ModelDraft d) {
    d.contextLength = Math.min(d.contextLength, d.optional(d.contextLength, "seq_length"));
  }

  /// ChatGLM 2 and 3 and the first GLM-4, whose configuration names most things otherwise.
  static void chatGlm(ModelDraft d) {
    if (d.config.has("kv_channels")) {
      d.rotaryDim = d.filled(d.headDim[0] / 2);
      if (d.config.booleanOr("multi_query_attention", false)) {
        d.kvHeads = d.filled(d.optional(d.heads[0], "multi_query_group_num"));
      }
    }
  }
}
