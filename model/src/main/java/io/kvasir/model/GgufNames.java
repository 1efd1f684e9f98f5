package io.kvasir.model;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What GGUF calls architectures and weights, where that differs from [Families] and from the roles
/// of [TensorNames] (which are GGUF's names otherwise).
///
/// Names and meanings are those that llama.cpp reads; they are facts of the file format.
final class GgufNames {
  /// Architectures by family; all others have the family's own name.
  private static final Map<String, String> ARCHITECTURES =
      Map.ofEntries(
          Map.entry("mistral", "llama"),
          Map.entry("mixtral", "llama"),
          Map.entry("ministral3", "mistral3"),
          Map.entry("qwen2_moe", "qwen2moe"),
          Map.entry("qwen3_moe", "qwen3moe"),
          Map.entry("olmo3", "olmo2"),
          Map.entry("gemma3_text", "gemma3"),
          Map.entry("gemma4_text", "gemma4"),
          Map.entry("cohere", "command-r"),
          Map.entry("deepseek_v2", "deepseek2"),
          Map.entry("deepseek_v3", "deepseek2"),
          Map.entry("glm", "chatglm"),
          Map.entry("glm4_moe", "glm4moe"),
          Map.entry("gpt_bigcode", "starcoder"),
          Map.entry("gpt_neox", "gptneox"),
          Map.entry("gpt_oss", "gpt-oss"),
          Map.entry("phi", "phi2"),
          Map.entry("llama4_text", "llama4"),
          Map.entry("ernie4_5_moe", "ernie4_5-moe"),
          Map.entry("minimax_m2", "minimax-m2"),
          Map.entry("bailing_moe", "bailingmoe"),
          Map.entry("bailing_moe_v2", "bailingmoe2"),
          Map.entry("exaone_moe", "exaone-moe"),
          Map.entry("hunyuan_v1_dense", "hunyuan-dense"),
          Map.entry("hunyuan_v1_moe", "hunyuan-moe"),
          Map.entry("glm4_moe_lite", "deepseek2"),
          Map.entry("youtu", "deepseek2"));

  /// Families whose norm before the feed-forward part GGUF calls after the one that precedes it.
  private static final Set<String> NAMED_AFTER_ATTENTION =
      Set.of("gpt_oss", "glm4_moe", "seed_oss");

  private static final String FFN_NORM = ".ffn_norm.";
  private static final String POST_ATTENTION_NORM = ".post_attention_norm.";
  private static final String ATTN_NORM = ".attn_norm.";
  private static final String ATTN_NORM_2 = ".attn_norm_2.";

  /// Roles of Gemma 4's router factors and the names they go by.
  private static final Map<String, String> ROUTER_SCALES =
      Map.of(
          ".ffn_gate_inp_scale.weight", ".ffn_gate_inp.scale",
          ".ffn_exps_scale.weight", ".ffn_down_exps.scale");

  private GgufNames() {}

  /// Whether files keep MLA's joint matrix of keys and values.
  static boolean keepsJointHeads(String architecture) {
    return architecture.equals("minicpm3");
  }

  /// Whether files state the factors of maximal update parametrization, with a divisor of the
  /// logits (HyperCLOVA X: a factor).
  static boolean isScaled(String architecture) {
    return architecture.startsWith("granite")
        || architecture.startsWith("minicpm")
        || architecture.equals("hyperclovax");
  }

  /// The architecture that GGUF files of a family state.
  static String architecture(Family family) {
    return ARCHITECTURES.getOrDefault(family.name(), family.name());
  }

  /// The role of a tensor in a GGUF file.
  ///
  /// @param twinNorms the layers, as `blk.3`, whose attention has a norm of its own
  ///   ([#layersWithTwinNorms])
  static String role(String name, Family family, Set<String> twinNorms) {
    if (NAMED_AFTER_ATTENTION.contains(family.name())) {
      return name.replace(POST_ATTENTION_NORM, FFN_NORM);
    }
    if (!twinNorms.isEmpty() && twinNorms.contains(layer(name))) {
      return name.contains(ATTN_NORM)
          ? name.replace(ATTN_NORM, FFN_NORM)
          : name.replace(ATTN_NORM_2, ATTN_NORM);
    }
    for (Map.Entry<String, String> scale : ROUTER_SCALES.entrySet()) {
      if (name.endsWith(scale.getValue())) {
        return name.replace(scale.getValue(), scale.getKey());
      }
    }
    return name;
  }

  /// Falcon's larger models norm attention and feed-forward input apart; there `attn_norm` belongs
  /// to the feed-forward part.
  static Set<String> layersWithTwinNorms(List<String> names) {
    Set<String> layers = new HashSet<>();
    for (String name : names) {
      if (name.contains(ATTN_NORM_2)) {
        layers.add(layer(name));
      }
    }
    return layers;
  }

  /// The name in a GGUF file of a role.
  ///
  /// @param twinNorms whether a layer of this Falcon has two norms
  static String name(String role, Family family, boolean twinNorms) {
    // A gate and upper projection in one go by the name of the latter (Phi-3, GLM-4).
    String name =
        role.replace(".exp_probs_b.weight", ".exp_probs_b.bias")
            .replace(".ffn_gate_up.", ".ffn_up.");
    if (NAMED_AFTER_ATTENTION.contains(family.name())) {
      return name.replace(FFN_NORM, POST_ATTENTION_NORM);
    }
    if (twinNorms) {
      return name.contains(FFN_NORM)
          ? name.replace(FFN_NORM, ATTN_NORM)
          : name.replace(ATTN_NORM, ATTN_NORM_2);
    }
    for (Map.Entry<String, String> scale : ROUTER_SCALES.entrySet()) {
      name = name.replace(scale.getKey(), scale.getValue());
    }
    return name;
  }

  /// `blk.3` of `blk.3.attn_norm.weight`.
  private static String layer(String name) {
    int dot = name.indexOf('.', "blk.".length());
    return dot < 0 ? name : name.substring(0, dot);
  }
}
