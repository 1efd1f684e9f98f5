package io.kvasir.model.plan;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.KvLayer.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// Reads a [ModelShape] from a Hugging Face `config.json` alone.
public final class ConfigShape {

  /// Families whose every layer has a window where the configuration names one.
  private static final Set<String> ALL_LAYERS_SLIDE =
      Set.of("mistral", "mixtral", "phi3", "phimoe", "starcoder2");

  private final ConfigKeys keys;

  private ConfigShape(ConfigKeys keys) {
    this.keys = keys;
  }

  /// @throws ModelFormatException where the configuration lacks a size or states an impossible one
  public static ModelShape read(Json config) {
    ConfigKeys keys = new ConfigKeys(config);
    try {
      KvShape kv = new ConfigShape(keys).kv();
      return new ModelShape(
          keys.modelType().isEmpty() ? "unknown" : keys.modelType(),
          keys.contextLength(),
          kv,
          new WeightCount(keys, kv).roles(),
          weightType(keys),
          null);
    } catch (ArithmeticException e) {
      throw new ModelFormatException("config.json describes an impossibly large model", e);
    } catch (IllegalArgumentException e) {
      throw new ModelFormatException("config.json: " + e.getMessage(), e);
    }
  }

  /// The layers alone, from a configuration that need not name the sizes of the weights.
  static List<KvLayer> layers(Json config) {
    return new ConfigShape(new ConfigKeys(config)).kv().layers();
  }

  private static TensorType weightType(ConfigKeys keys) {
    if (keys.get("quantization_config").get("quant_method") instanceof Json.Str(String method)) {
      switch (method) {
        case "fp8", "fbgemm_fp8" -> {
          return TensorType.F8_E4M3;
        }
        case "mxfp4" -> {
          return TensorType.MXFP4;
        }
        default -> {
          // Others keep their parameters' type in the table, which their files correct.
        }
      }
    }
    return switch (keys.string("dtype", keys.string("torch_dtype", "bfloat16"))) {
      case "float32" -> TensorType.F32;
      case "float16" -> TensorType.F16;
      default -> TensorType.BF16;
    };
  }

  private KvShape kv() {
    int count = keys.layers();
    List<String> types = keys.layerTypes();
    int shared = Math.min(keys.sizeOr(0, "num_kv_shared_layers"), count);
    List<KvLayer> layers = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      String type = types.isEmpty() ? impliedType(i) : types.get(i);
      layers.add(i >= count - shared ? shared() : layer(type));
    }
    return new KvShape(layers);
  }

  /// The layer's type where the configuration has no list of them.
  private String impliedType(int layer) {
    String family = keys.modelType();
    if (family.startsWith("mamba") && !keys.flag("mixers_by_tensor", false)) {
      return "mamba";
    }
    int interval = keys.sizeOr(0, "full_attention_interval");
    if (interval > 0) {
      return (layer + 1) % interval == 0 ? "full_attention" : "linear_attention";
    }
    if (keys.sizeOr(0, "sliding_window") == 0) {
      return "full_attention";
    }
    int pattern = keys.sizeOr(0, "sliding_window_pattern", "_sliding_window_pattern");
    if (pattern == 0) {
      pattern =
          switch (family) {
            case "gemma2", "gpt_oss" -> 2;
            case "gemma3" -> 6;
            case "cohere2", "exaone4", "olmo3" -> 4;
            default -> 0;
          };
    }
    if (pattern > 0) {
      return (layer + 1) % pattern == 0 ? "full_attention" : "sliding_attention";
    }
    boolean slides =
        ALL_LAYERS_SLIDE.contains(family)
            || keys.flag("use_sliding_window", false)
                && layer >= keys.sizeOr(0, "max_window_layers");
    return slides ? "sliding_attention" : "full_attention";
  }

  private KvLayer layer(String type) {
    return switch (type) {
      case "full_attention", "attention" -> attention(0);
      case "sliding_attention" -> attention(keys.sizeOr(0, "sliding_window"));
      case "chunked_attention" -> attention(keys.sizeOr(0, "attention_chunk_size"));
      case "linear_attention" -> state(deltaNetState());
      case "conv" -> state(4L * keys.width() * keys.sizeOr(3, "conv_L_cache"));
      case "mamba" -> state(mambaState());
      default ->
          throw new ModelFormatException(
              "unknown layer type '"
                  + (type.length() > 60 ? type.substring(0, 60) + "..." : type)
                  + "' in config.json");
    };
  }

  private KvLayer attention(int window) {
    int heads = keys.heads();
    int latent = keys.sizeOr(0, "kv_lora_rank");
    if (latent > 0) {
      int rope = keys.size("qk_rope_head_dim");
      int nope = keys.size("qk_nope_head_dim");
      return new KvLayer(
          Kind.LATENT, heads, nope + rope, keys.size("v_head_dim"), heads, latent + rope, 0, 0);
    }
    int headDim = keys.headDim();
    int kvHeads = keys.kvHeads();
    if (window == 0) {
      headDim = keys.sizeOr(headDim, "global_head_dim");
      kvHeads = keys.sizeOr(kvHeads, "num_global_key_value_heads");
    }
    boolean besideMamba =
        keys.modelType().equals("falcon_h1") && !keys.flag("mixers_by_tensor", false);
    return new KvLayer(
        window > 0 ? Kind.WINDOW : Kind.FULL,
        heads,
        headDim,
        headDim,
        kvHeads,
        0,
        window,
        besideMamba ? mambaState() : 0);
  }

  private static KvLayer state(long bytes) {
    return new KvLayer(Kind.STATE, 0, 0, 0, 0, 0, 0, bytes);
  }

  private static KvLayer shared() {
    return new KvLayer(Kind.SHARED, 0, 0, 0, 0, 0, 0, 0);
  }

  /// Gated delta rule (Qwen3-Next): an f32 matrix for each value head and the convolution's last
  /// inputs.
  private long deltaNetState() {
    long keyHeads = keys.size("linear_num_key_heads");
    long valueHeads = keys.size("linear_num_value_heads");
    long keyDim = keys.size("linear_key_head_dim");
    long valueDim = keys.size("linear_value_head_dim");
    long channels = 2 * keyHeads * keyDim + valueHeads * valueDim;
    return 4
        * (valueHeads * keyDim * valueDim + channels * keys.sizeOr(4, "linear_conv_kernel_dim"));
  }

  /// Mamba-2: an f32 matrix `[head size, state size]` for each head and the convolution's last
  /// inputs.
  private long mambaState() {
    MambaSizes mamba = MambaSizes.of(keys);
    return 4 * (mamba.inner() * mamba.state() + mamba.convChannels() * (long) mamba.kernel());
  }

  /// Sizes of a Mamba-2 mixer.
  record MambaSizes(long inner, int heads, int state, int groups, int kernel) {
    static MambaSizes of(ConfigKeys keys) {
      int heads = keys.size("num_heads", "mamba_n_heads", "mamba_num_heads");
      long inner =
          (long) heads * keys.size("head_dim_mamba", "mamba_d_head", "mamba_head_dim", "head_dim");
      return new MambaSizes(
          inner,
          heads,
          keys.size("state_size", "mamba_d_state", "ssm_state_size"),
          keys.sizeOr(1, "n_groups", "mamba_n_groups"),
          keys.sizeOr(4, "conv_kernel", "mamba_d_conv"));
    }

    long convChannels() {
      return inner + 2L * groups * state;
    }
  }

  /// The name of a weight format as the command line writes it, such as `q4_k`.
  public static TensorType weightFormat(String name) {
    for (TensorType type : TensorType.values()) {
      if (type.name().equalsIgnoreCase(name)) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "unknown weight format '" + name.toLowerCase(Locale.ROOT) + "'; write it as bf16 or q4_k");
  }
}
