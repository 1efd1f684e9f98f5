package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Norm;
import io.kvasir.compute.RopeTable;
import io.kvasir.model.AttentionConfig.HeadRules;
import io.kvasir.model.ModelConfig.QueryScaling;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// A model configuration while it is being put together: read with the keys and defaults that all
/// families share, then changed by what is special about one ([Family#adjust]).
///
/// Fields are plain and mutable on purpose; [#build] makes the immutable [ModelConfig].
final class ModelDraft {
  /// The configuration, in Hugging Face's keys.
  final Json config;

  final Family family;
  final int width;
  final int layerCount;
  final int maxPositions;

  /// Positions that will be used: the model's limit unless the caller asked for fewer.
  int contextLength;

  int[] heads;
  int[] kvHeads;
  int[] headDim;
  int[] rotaryDim;
  int window;
  IntPredicate slides;
  IntPredicate rotates;
  Norm.Kind normKind;
  boolean interleavedRope;

  /// Whether a fused query-key-value weight is grouped by kv head; see [Family.Files].
  boolean groupedQkv;

  boolean parallel;
  double normEpsilon;
  Activation activation;
  float attentionScale;
  float attentionSoftcap;
  float embeddingScale = 1;
  float residualScale = 1;
  float logitScale = 1;
  float logitSoftcap;
  boolean normalizeValues;
  boolean plainNorms;
  int positionOffset;
  HeadRules rules = HeadRules.NONE;
  int sharedCacheLayers;
  QueryScaling queryScaling = QueryScaling.NONE;
  AttentionConfig.@Nullable LatentConfig latent;
  @Nullable MoeConfig moe;
  IntPredicate routed = layer -> true;

  private static final int MAX_HEAD_DIM = 1 << 16;
  private static final int MAX_HEADS = 1 << 16;
  private static final String[] HEADS = {
    "num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"
  };

  private final Map<List<Object>, RopeTable> ropeTables = new HashMap<>();

  ModelDraft(Json config, Family family, boolean gguf, int contextLimit) {
    this.config = config;
    this.family = family;
    width = required("hidden_size", "n_embd", "d_model");
    layerCount = required("num_hidden_layers", "n_layer", "n_layers", "num_layers");
    maxPositions = maxPositions();
    contextLength = contextLimit > 0 ? Math.min(contextLimit, maxPositions) : maxPositions;
    heads = perLayer("num_attention_heads", required(HEADS));
    kvHeads = perLayer("num_key_value_heads", optional(heads[0], "num_key_value_heads"));
    headDim = filled(optional(width / heads[0], "head_dim", "kv_channels"));
    rotaryDim = filled(rotaryDim(headDim[0]));
    window = Math.max(0, optional(0, "sliding_window"));
    slides = slidingLayers();
    rotates = layer -> true;
    normKind = family.norm();
    Family.Files files = family.files();
    interleavedRope = gguf ? files.ggufInterleavedRope() : files.interleavedRope();
    groupedQkv = files.groupedQkv();
    parallel = family.parallel();
    normEpsilon = epsilon();
    activation = activation();
    attentionScale = (float) (1 / Math.sqrt(headDim[0]));
    moe = mixture();
  }

  /// The finished configuration.
  ModelConfig build() {
    family.adjust().accept(this);
    List<LayerConfig> layers = new ArrayList<>();
    for (int i = 0; i < layerCount; i++) {
      layers.add(new LayerConfig(attention(i), moe != null && routed.test(i) ? moe : null));
    }
    return new ModelConfig(
        family.name(),
        width,
        contextLength,
        layers,
        normKind,
        (float) normEpsilon,
        activation,
        parallel,
        embeddingScale,
        residualScale,
        logitScale,
        logitSoftcap,
        plainNorms,
        positionOffset,
        queryScaling);
  }

  /// Sizes that no model has would cost memory before the weights show that they are wrong.
  private void checkHeads(int layer, int rotated) {
    if (headDim[layer] < 1 || headDim[layer] > MAX_HEAD_DIM || heads[layer] > MAX_HEADS) {
      throw new UnsupportedModelException(
          "layer %d has %d heads of %d elements".formatted(layer, heads[layer], headDim[layer]));
    }
    int most = latent == null ? headDim[layer] : MAX_HEAD_DIM;
    if (rotated < 0 || rotated > most) {
      throw new UnsupportedModelException(
          "layer %d rotates %d elements of heads of %d".formatted(layer, rotated, headDim[layer]));
    }
  }

  private AttentionConfig attention(int layer) {
    checkHeads(layer, 0);
    boolean sliding = window > 0 && slides.test(layer);
    return new AttentionConfig(
        heads[layer],
        kvHeads[layer],
        headDim[layer],
        latent == null ? headDim[layer] : optional(headDim[layer], "v_head_dim"),
        attentionScale,
        attentionSoftcap,
        sliding ? window : 0,
        rotates.test(layer) ? rope(layer, sliding) : null,
        latent,
        normalizeValues,
        rules,
        cacheSource(layer));
  }

  /// Layers at the end that share read the last earlier layer of their own kind.
  private int cacheSource(int layer) {
    int firstShared = layerCount - sharedCacheLayers;
    if (layer < firstShared) {
      return layer;
    }
    for (int source = firstShared - 1; source >= 0; source--) {
      if (slides.test(source) == slides.test(layer)) {
        return source;
      }
    }
    throw new UnsupportedModelException(
        "layer %d shares the cache of an earlier layer of its kind, but there is none"
            .formatted(layer));
  }

  private RopeConfig rope(int layer, boolean sliding) {
    Json rope = ropeParameters(sliding);
    double base = rope.doubleOr("rope_theta", ropeBase(sliding));
    int dim = latent != null ? latent.ropeDim() : rotaryDim[layer];
    boolean proportional = "proportional".equals(rope.textOr("rope_type", ""));
    if (rope.has("partial_rotary_factor") && latent == null) {
      double share = proportional ? 1 : rope.get("partial_rotary_factor").asDouble();
      dim = (int) (headDim[layer] * share);
    }
    int rotated = dim;
    checkHeads(layer, rotated);
    RopeTable table =
        ropeTables.computeIfAbsent(
            List.of(rope.toText(), base, rotated),
            key -> new RopeScaling(rope, base, contextLength, maxPositions).table(rotated));
    return new RopeConfig(table, interleavedRope);
  }

  double ropeBase(boolean sliding) {
    if (sliding && config.has("rope_local_base_freq")) {
      return config.get("rope_local_base_freq").asDouble();
    }
    double usual = 10_000 * config.doubleOr("rope_ratio", 1);
    return config.doubleOr("rope_theta", config.doubleOr("rotary_emb_base", usual));
  }

  /// The scaling rule of a layer: one for all, or one per kind of layer; older files call it
  /// `rope_scaling`.
  Json ropeParameters(boolean sliding) {
    Json all = config.has("rope_parameters") ? config.get("rope_parameters") : legacyRope(sliding);
    String kind = sliding ? "sliding_attention" : "full_attention";
    Json rope = all.has(kind) ? all.get(kind) : all;
    if (rope.has("original_max_position_embeddings")
        || !config.has("original_max_position_embeddings")) {
      return rope;
    }
    Map<String, Json> extended = new LinkedHashMap<>(rope.asMap());
    extended.put(
        "original_max_position_embeddings", config.get("original_max_position_embeddings"));
    return new Json.Obj(extended);
  }

  private Json legacyRope(boolean sliding) {
    // Gemma 3 scales the full layers only.
    return sliding && config.has("rope_local_base_freq")
        ? Json.Null.NULL
        : config.get("rope_scaling");
  }

  private int rotaryDim(int headDim) {
    double share = config.doubleOr("partial_rotary_factor", config.doubleOr("rotary_pct", 1));
    return config.intOr("rotary_dim", (int) (headDim * share));
  }

  private IntPredicate slidingLayers() {
    List<Json> types = config.get("layer_types").asList();
    if (types.isEmpty()) {
      return layer -> true;
    }
    boolean[] sliding = new boolean[layerCount];
    for (int i = 0; i < Math.min(layerCount, types.size()); i++) {
      String type = types.get(i).asString();
      switch (type) {
        // What only sees its own chunk sees all of the first one; see [Families].
        case "full_attention", "chunked_attention" -> sliding[i] = false;
        case "sliding_attention" -> sliding[i] = true;
        default ->
            throw new UnsupportedModelException(
                "layer %d is of type '%s'; supported are full_attention and sliding_attention"
                    .formatted(i, type));
      }
    }
    return layer -> sliding[layer];
  }

  private double epsilon() {
    for (String key :
        List.of(
            "rms_norm_eps",
            "layer_norm_eps",
            "layer_norm_epsilon",
            "layernorm_epsilon",
            "norm_epsilon",
            "norm_eps")) {
      if (config.has(key)) {
        return config.get(key).asDouble();
      }
    }
    return normKind == Norm.Kind.RMS ? 1e-6 : 1e-5;
  }

  private Activation activation() {
    String name =
        config.textOr(
            "hidden_activation",
            config.textOr(
                "hidden_act",
                config.textOr("activation_function", config.textOr("activation", "silu"))));
    return switch (name) {
      case "silu", "swish", "swiglu" -> Activation.SILU;
      case "gelu" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_tanh", "geglu" ->
          Activation.GELU_TANH;
      case "quick_gelu" -> Activation.GELU_QUICK;
      case "relu" -> Activation.RELU;
      case "relu2", "relu_squared" -> Activation.RELU_SQUARED;
      // Its parameters are weights; see [FeedForwardBlock.Trained].
      case "xielu" -> Activation.SILU;
      default ->
          throw new UnsupportedModelException("activation '%s' is not supported".formatted(name));
    };
  }

  /// The mixture of experts as most families state it: softmax, the best few, normalized or not.
  private @Nullable MoeConfig mixture() {
    int experts =
        optional(0, "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts");
    if (experts == 0) {
      return null;
    }
    int perToken =
        optional(
            2,
            "num_experts_per_tok",
            "top_k_experts",
            "num_experts_per_token",
            "moe_k",
            "moe_topk");
    boolean normalize = config.booleanOr("norm_topk_prob", true);
    double own = config.doubleOr("router_scaling_factor", 1);
    float scale = (float) config.doubleOr("routed_scaling_factor", own);
    return new MoeConfig(experts, perToken, false, 1, 1, 1, normalize, scale);
  }

  private int maxPositions() {
    return optional(
        2048,
        "max_position_embeddings",
        "n_positions",
        "n_ctx",
        "max_seq_len",
        "seq_length",
        "model_max_length");
  }

  int required(String... keys) {
    int value = optional(0, keys);
    if (value <= 0) {
      throw new UnsupportedModelException("the configuration does not say '%s'".formatted(keys[0]));
    }
    return value;
  }

  /// The first of the keys that is there and holds a number; of a list, its first element.
  int optional(int fallback, String... keys) {
    for (String key : keys) {
      Json value = config.get(key);
      if (value instanceof Json.Arr(List<Json> items) && !items.isEmpty()) {
        return items.getFirst().asInt();
      }
      if (!value.isNull()) {
        return value.asInt();
      }
    }
    return fallback;
  }

  /// One value per layer: a list in the configuration, or the same for all.
  int[] perLayer(String key, int fallback) {
    int[] values = filled(fallback);
    if (config.get(key) instanceof Json.Arr(List<Json> items)) {
      for (int i = 0; i < Math.min(layerCount, items.size()); i++) {
        values[i] = items.get(i).asInt();
      }
    }
    return values;
  }

  int[] filled(int value) {
    if (layerCount > 10_000) {
      throw new UnsupportedModelException("a model of %d layers".formatted(layerCount));
    }
    int[] values = new int[layerCount];
    Arrays.fill(values, value);
    return values;
  }
}
