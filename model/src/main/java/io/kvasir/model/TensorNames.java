package io.kvasir.model;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Translates Hugging Face tensor names into roles. Roles are GGUF's names, so GGUF tensors need no
/// translation: `blk.3.attn_q.weight` is the query projection of layer 3 in any family.
///
/// Most module paths mean the same everywhere; a family lists only those that do not
/// ([Family.Files]).
final class TensorNames {
  private static final Pattern PREFIX =
      Pattern.compile(
          "^(model\\.language_model\\.|language_model\\.model\\.|language_model\\.|model\\.text_model\\.|model\\.decoder\\.|model\\."
              + "|transformer\\.encoder\\.|transformer\\.embedding\\.|transformer\\.|decoder\\.|gpt_neox\\.|backbone\\.)");
  private static final Pattern LAYER = Pattern.compile("^(?:layers|h|blocks)\\.(\\d{1,6})\\.(.+)$");
  private static final Pattern EXPERT =
      Pattern.compile("^(?:mlp|block_sparse_moe|feed_forward)\\.experts\\.(\\d{1,6})\\.(\\w+)$");
  private static final Pattern HEAD_NORM =
      Pattern.compile("^(self_attn\\.[qk]_layernorm)\\.norms\\.(\\d{1,6})$");
  private static final Set<String> PARAMETERS =
      Set.of("weight", "bias", "weight_scale", "weight_scale_inv", "input_scale");

  private static final Map<String, String> MODEL = modelPaths();
  private static final Map<String, String> BLOCK = blockPaths();

  private TensorNames() {}

  /// The role of a Hugging Face tensor, or null where it has none.
  static @Nullable String role(String name, Map<String, String> familyPaths) {
    String bare = PREFIX.matcher(name).replaceFirst("");
    Matcher layer = LAYER.matcher(bare);
    if (!layer.matches()) {
      return withParameter("", bare, MODEL, familyPaths);
    }
    return withParameter("blk." + layer.group(1) + ".", layer.group(2), BLOCK, familyPaths);
  }

  /// Splits `path.weight`, translates the path, and puts it together again.
  private static @Nullable String withParameter(
      String prefix, String path, Map<String, String> common, Map<String, String> familyPaths) {
    int dot = path.lastIndexOf('.');
    String parameter = path.substring(dot + 1);
    String module = dot < 0 ? path : path.substring(0, dot);
    if (!PARAMETERS.contains(parameter)) {
      // Parameters that are modules of their own, such as attention sinks or stacked experts.
      boolean bias = path.endsWith("_bias") && !common.containsKey(path);
      module = bias ? path.substring(0, path.length() - "_bias".length()) : path;
      parameter = bias ? "bias" : "weight";
    }
    String role = familyPaths.getOrDefault(module, common.get(module));
    if (role == null) {
      role = numbered(module);
    }
    return role == null ? null : prefix + role + "." + parameter;
  }

  /// The role of one of many equal parts: an expert, or a norm of a head (StableLM 2).
  private static @Nullable String numbered(String module) {
    Matcher norm = HEAD_NORM.matcher(module);
    if (norm.matches()) {
      return BLOCK.get(norm.group(1)) + "." + norm.group(2);
    }
    Matcher expert = EXPERT.matcher(module);
    if (!expert.matches()) {
      return null;
    }
    String role = BLOCK.get("mlp." + expert.group(2));
    return role == null ? null : role + "_exps." + expert.group(1);
  }

  private static Map<String, String> modelPaths() {
    Map<String, String> paths = new HashMap<>();
    put(paths, "token_embd", "embed_tokens", "wte", "word_embeddings", "embed_in", "embeddings");
    put(paths, "token_embd", "tok_embeddings");
    put(paths, "token_embd_norm", "word_embeddings_layernorm");
    put(paths, "position_embd", "wpe", "embed_positions");
    put(paths, "output_norm", "norm", "ln_f", "final_layernorm", "final_layer_norm", "norm_f");
    put(paths, "output", "lm_head", "embed_out", "output", "output_layer");
    put(paths, "per_layer_token_embd", "embed_tokens_per_layer");
    put(paths, "per_layer_model_proj", "per_layer_model_projection");
    put(paths, "per_layer_proj_norm", "per_layer_projection_norm");
    return Map.copyOf(paths);
  }

  private static Map<String, String> blockPaths() {
    Map<String, String> paths = new HashMap<>();
    put(paths, "attn_norm", "input_layernorm", "ln_1", "ln_attn", "attention_norm", "norm_1");
    put(paths, "attn_norm", "self_attn_layer_norm", "attention_layernorm");
    put(
        paths,
        "ffn_norm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "pre_mlp_layernorm",
        "feedforward_layernorm",
        "ffn_norm",
        "ln_2",
        "ln_mlp",
        "norm_2");
    put(paths, "post_attention_norm", "post_self_attn_layernorm");
    put(paths, "post_ffw_norm", "post_feedforward_layernorm", "post_mlp_layernorm");
    put(paths, "post_ffw_norm_1", "post_feedforward_layernorm_1");
    put(paths, "post_ffw_norm_2", "post_feedforward_layernorm_2");
    put(paths, "pre_ffw_norm_2", "pre_feedforward_layernorm_2");
    put(paths, "layer_output_scale", "layer_scalar");
    put(paths, "inp_gate", "per_layer_input_gate");
    put(paths, "proj", "per_layer_projection");
    put(paths, "post_norm", "post_per_layer_input_norm");
    put(paths, "ffn_gate_inp_scale", "router.scale");
    put(paths, "ffn_exps_scale", "router.per_expert_scale");
    put(paths, "ffn_gate_inp", "router.proj");
    put(paths, "ffn_gate_up_exps", "experts.gate_up_proj");
    put(paths, "ffn_down_exps", "experts.down_proj");
    for (String block :
        new String[] {"self_attn.", "attn.", "attn.attention.", "attention.", "self_attention."}) {
      attentionPaths(paths, block);
    }
    for (String block : new String[] {"mlp.", "ffn.", "feed_forward.", "block_sparse_moe."}) {
      feedForwardPaths(paths, block);
    }
    for (String number : new String[] {"alpha_p", "alpha_n", "beta", "eps"}) {
      put(paths, "xielu_" + number, "mlp.act_fn." + number);
    }
    put(paths, "ffn_norm", "final_layer_norm");
    put(paths, "ffn_up", "fc1");
    put(paths, "ffn_down", "fc2");
    put(paths, "ffn_gate_up_shexp", "shared_mlp.input_linear");
    put(paths, "ffn_down_shexp", "shared_mlp.output_linear");
    return Map.copyOf(paths);
  }

  private static void attentionPaths(Map<String, String> paths, String block) {
    put(paths, "attn_q", block + "q_proj");
    put(paths, "attn_k", block + "k_proj");
    put(paths, "attn_v", block + "v_proj");
    put(
        paths,
        "attn_output",
        block + "o_proj",
        block + "dense",
        block + "out_proj",
        block + "c_proj",
        block + "wo");
    put(paths, "attn_qkv", block + "qkv_proj", block + "query_key_value", block + "c_attn");
    put(paths, "attn_qkv", block + "Wqkv", block + "wqkv", block + "W_pack");
    put(paths, "attn_q_norm", block + "q_norm", block + "q_layernorm", block + "query_layernorm");
    put(paths, "attn_k_norm", block + "k_norm", block + "k_layernorm", block + "key_layernorm");
    put(paths, "attn_gate", block + "gate_proj");
    put(paths, "attn_sinks", block + "sinks");
    put(paths, "attn_q_a", block + "q_a_proj");
    put(paths, "attn_q_a_norm", block + "q_a_layernorm");
    put(paths, "attn_q_b", block + "q_b_proj");
    put(paths, "attn_kv_a_mqa", block + "kv_a_proj_with_mqa");
    put(paths, "attn_kv_a_norm", block + "kv_a_layernorm");
    put(paths, "attn_kv_b", block + "kv_b_proj");
  }

  private static void feedForwardPaths(Map<String, String> paths, String block) {
    put(paths, "ffn_gate", block + "gate_proj", block + "w1", block + "c_fc_0");
    put(
        paths,
        "ffn_up",
        block + "up_proj",
        block + "w3",
        block + "c_fc_1",
        block + "fc1",
        block + "fc_in",
        block + "c_fc",
        block + "dense_h_to_4h");
    put(
        paths,
        "ffn_down",
        block + "down_proj",
        block + "w2",
        block + "fc2",
        block + "fc_out",
        block + "c_proj",
        block + "dense_4h_to_h");
    put(paths, "ffn_gate_up", block + "gate_up_proj");
    put(paths, "ffn_gate_inp", block + "gate", block + "router", block + "router.layer");
    put(paths, "ffn_gate_inp", block + "gate.wg", block + "router.gate");
    put(paths, "exp_probs_b", block + "gate.e_score_correction_bias");
    put(paths, "exp_probs_b", block + "e_score_correction_bias", block + "expert_bias");
    put(paths, "exp_probs_b", block + "gate.expert_bias");
    put(paths, "exp_probs_b", block + "moe_statics.e_score_correction_bias");
    put(paths, "ffn_gate_up_exps", block + "experts.gate_up_proj", block + "input_linear");
    put(paths, "ffn_down_exps", block + "experts.down_proj", block + "output_linear");
    put(paths, "ffn_gate_inp_shexp", block + "shared_expert_gate");
    for (String shared : new String[] {"shared_experts.", "shared_expert.", "shared_mlp."}) {
      put(paths, "ffn_gate_shexp", block + shared + "gate_proj");
      put(paths, "ffn_up_shexp", block + shared + "up_proj");
      put(paths, "ffn_down_shexp", block + shared + "down_proj");
    }
  }

  private static void put(Map<String, String> paths, String role, String... modules) {
    for (String module : modules) {
      paths.put(module, role);
    }
  }
}
