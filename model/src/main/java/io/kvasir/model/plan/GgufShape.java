package io.kvasir.model.plan;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.KvLayer.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads a [ModelShape] from a GGUF file: the layers from its metadata, the weights from its list
/// of tensors.
final class GgufShape {
  private static final int MAX_LAYERS = 10_000;

  private final GgufFile file;
  private final GgufMetadata metadata;
  private final String architecture;
  private final int layerCount;

  private GgufShape(GgufFile file) {
    this.file = file;
    metadata = file.metadata();
    architecture = metadata.requireString("general.architecture");
    layerCount = metadata.requireInt(key("block_count"));
    if (layerCount < 1 || layerCount > MAX_LAYERS) {
      throw new ModelFormatException(
          "'%s' has an impossible block_count: %d".formatted(file.path(), layerCount));
    }
  }

  static ModelShape read(GgufFile file) {
    try {
      return new GgufShape(file).read();
    } catch (IllegalArgumentException e) {
      throw new ModelFormatException("'%s': %s".formatted(file.path(), e.getMessage()), e);
    }
  }

  private ModelShape read() {
    long bytes = 0;
    Map<TensorType, Long> elements = new LinkedHashMap<>();
    for (Tensor tensor : file.tensors()) {
      bytes += tensor.data().byteSize();
      elements.merge(tensor.type(), tensor.elements(), Long::sum);
    }
    TensorType most =
        elements.entrySet().stream()
            .max(Map.Entry.comparingByValue())
            .map(Map.Entry::getKey)
            .orElse(TensorType.F32);
    return new ModelShape(
        architecture,
        metadata.longOr(key("context_length"), 0),
        new KvShape(layers()),
        roles(),
        most,
        bytes);
  }

  private List<WeightRole> roles() {
    Map<String, long[]> counts = new LinkedHashMap<>();
    for (Tensor tensor : file.tensors()) {
      boolean matrix = tensor.dimensions() > 1;
      String role = matrix ? roleOf(tensor.name()) : "norms and biases";
      counts.computeIfAbsent(role, r -> new long[2])[matrix ? 0 : 1] += tensor.elements();
    }
    long experts = metadata.longOr(key("expert_count"), 0);
    long chosen = Math.min(experts, metadata.longOr(key("expert_used_count"), experts));
    List<WeightRole> roles = new ArrayList<>();
    for (Map.Entry<String, long[]> count : counts.entrySet()) {
      long matrix = count.getValue()[0];
      long vector = count.getValue()[1];
      boolean routed = count.getKey().equals(WeightRole.EXPERTS) && experts > 0;
      long active = routed ? matrix / experts * chosen : matrix;
      roles.add(new WeightRole(count.getKey(), matrix, vector, active + vector));
    }
    return roles;
  }

  private static String roleOf(String tensor) {
    if (!tensor.startsWith("blk.")) {
      return tensor.startsWith("output") ? "output" : "embeddings";
    }
    if (tensor.contains("_exps")) {
      return WeightRole.EXPERTS;
    }
    if (tensor.contains(".ssm_") || tensor.contains("shortconv")) {
      return "recurrent";
    }
    return tensor.contains(".attn") ? "attention" : "feed-forward";
  }

  private List<KvLayer> layers() {
    List<KvLayer> implied = ConfigShape.layers(asConfig());
    int[] kvHeads = perLayer("attention.head_count_kv");
    int[] heads = perLayer("attention.head_count");
    List<KvLayer> layers = new ArrayList<>();
    for (int i = 0; i < layerCount; i++) {
      KvLayer layer = implied.get(i);
      boolean recurrent = hasTensor(i, "ssm_out") || hasTensor(i, "shortconv.out_proj");
      boolean attends =
          kvHeads == null
              ? !recurrent || hasTensor(i, "attn_k")
              : kvHeads[Math.min(i, kvHeads.length - 1)] > 0;
      if (!attends) {
        layers.add(new KvLayer(Kind.STATE, 0, 0, 0, 0, 0, 0, recurrent ? stateBytes() : 0));
        continue;
      }
      int queryHeads = heads == null ? layer.heads() : heads[Math.min(i, heads.length - 1)];
      int rowHeads = kvHeads == null ? layer.kvHeads() : kvHeads[Math.min(i, kvHeads.length - 1)];
      layers.add(
          new KvLayer(
              layer.kind(),
              queryHeads,
              layer.headDim(),
              layer.valueDim(),
              layer.kind() == Kind.LATENT ? queryHeads : rowHeads,
              layer.latentDim(),
              layer.window(),
              recurrent ? stateBytes() : 0));
    }
    return layers;
  }

  /// Bytes of the f32 state of a Mamba or gated delta layer, or of a short convolution.
  private long stateBytes() {
    long shortConvolution = metadata.longOr(key("shortconv.l_cache"), 0);
    if (shortConvolution > 0) {
      return 4 * shortConvolution * metadata.longOr(key("embedding_length"), 0);
    }
    long inner = metadata.longOr(key("ssm.inner_size"), 0);
    long state = metadata.longOr(key("ssm.state_size"), 0);
    long groups = metadata.longOr(key("ssm.group_count"), 0);
    long kernel = metadata.longOr(key("ssm.conv_kernel"), 0);
    long bytes = 4 * (inner * state + (inner + 2 * groups * state) * kernel);
    if (bytes < 0 || inner > 1 << 24 || state > 1 << 24) {
      throw new ModelFormatException(
          "'%s' has an impossible recurrent state".formatted(file.path()));
    }
    return bytes;
  }

  private boolean hasTensor(int layer, String name) {
    return file.find("blk." + layer + "." + name + ".weight") != null;
  }

  /// The keys of a `config.json` that decide over the cache.
  private Json asConfig() {
    Map<String, Json> config = new LinkedHashMap<>();
    config.put("model_type", new Json.Str(architecture.replace('-', '_')));
    config.put("num_hidden_layers", new Json.Int(layerCount));
    put(config, "hidden_size", "embedding_length");
    put(config, "head_dim", "attention.key_length");
    put(config, "sliding_window", "attention.sliding_window");
    put(config, "kv_lora_rank", "attention.kv_lora_rank");
    int[] heads = perLayer("attention.head_count");
    int[] kvHeads = perLayer("attention.head_count_kv");
    config.put(
        "num_attention_heads", new Json.Int(Math.max(1, most(heads, "attention.head_count"))));
    long rows = most(kvHeads, "attention.head_count_kv");
    if (rows > 0) {
      config.put("num_key_value_heads", new Json.Int(rows));
    }
    slidingLayers(config);
    latentSizes(config);
    // Metadata state heads in full, also for multi-query families, and windows where layers have
    // them; recurrent layers are told by their tensors.
    config.put("multi_query", new Json.Bool(false));
    config.put("use_sliding_window", new Json.Bool(true));
    config.put("mixers_by_tensor", new Json.Bool(true));
    return new Json.Obj(config);
  }

  private void slidingLayers(Map<String, Json> config) {
    String name = "attention.sliding_window_pattern";
    if (!(metadata.find(key(name)) instanceof GgufValue.Array)) {
      put(config, "sliding_window_pattern", name);
      return;
    }
    int[] flags = perLayer(name);
    if (flags != null && flags.length == layerCount) {
      List<Json> types = new ArrayList<>();
      for (int flag : flags) {
        types.add(new Json.Str(flag != 0 ? "sliding_attention" : "full_attention"));
      }
      config.put("layer_types", new Json.Arr(types));
    }
  }

  private void latentSizes(Map<String, Json> config) {
    if (!metadata.has(key("attention.kv_lora_rank"))) {
      return;
    }
    String suffix = metadata.has(key("attention.key_length_mla")) ? "_mla" : "";
    long keyLength = metadata.longOr(key("attention.key_length" + suffix), 0);
    long rope = metadata.longOr(key("rope.dimension_count"), 0);
    config.put("qk_rope_head_dim", new Json.Int(rope));
    config.put("qk_nope_head_dim", new Json.Int(Math.max(0, keyLength - rope)));
    config.put(
        "v_head_dim", new Json.Int(metadata.longOr(key("attention.value_length" + suffix), 0)));
  }

  private long most(int @Nullable [] values, String name) {
    if (values == null) {
      return metadata.longOr(key(name), 0);
    }
    int most = 0;
    for (int value : values) {
      most = Math.max(most, value);
    }
    return most;
  }

  private int @Nullable [] perLayer(String name) {
    boolean isArray = metadata.find(key(name)) instanceof GgufValue.Array;
    int[] values = isArray ? metadata.ints(key(name)) : null;
    return values == null || values.length == 0 ? null : values;
  }

  private void put(Map<String, Json> config, String target, String name) {
    Long value = metadata.has(key(name)) ? metadata.integer(key(name)) : null;
    if (value != null) {
      config.put(target, new Json.Int(value));
    }
  }

  private String key(String name) {
    return architecture + "." + name;
  }
}
