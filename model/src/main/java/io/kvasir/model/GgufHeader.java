package io.kvasir.model;

import io.kvasir.compute.Norm;
import io.kvasir.compute.RopeTable;
import io.kvasir.model.AttentionConfig.LatentConfig;
import io.kvasir.model.file.GgufPlan.Part;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.json.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A model's configuration as GGUF metadata: what [GgufConfig] reads, written.
final class GgufHeader {
  /// Architectures whose readers expect one flag per layer for sliding windows.
  private static final Set<String> FLAGGED_WINDOWS = Set.of("gemma4");

  private static final int SOFTMAX = 1;
  private static final int SIGMOID = 2;

  private final ModelDraft draft;
  private final ModelConfig model;
  private final String architecture;
  private final Map<String, Part> weights = new TreeMap<>();
  private final Map<String, GgufValue> metadata;

  /// @param draft as built; see [ModelDraft#build]
  GgufHeader(
      ModelDraft draft, ModelConfig model, List<Part> weights, Map<String, GgufValue> metadata) {
    this.draft = draft;
    this.model = model;
    this.architecture = GgufNames.architecture(draft.family);
    this.metadata = metadata;
    weights.forEach(weight -> this.weights.put(weight.name(), weight));
  }

  void write() {
    metadata.put("general.architecture", GgufValue.of(architecture));
    put("vocab_size", dimension("token_embd.weight", 0));
    put("context_length", draft.maxPositions);
    put("embedding_length", draft.width);
    put("block_count", draft.layerCount);
    putPerLayer("feed_forward_length", feedForwardLengths());
    boolean rms = draft.normKind == Norm.Kind.RMS || architecture.equals("phimoe");
    put(
        rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
        (float) draft.normEpsilon);
    boolean sequentialFalcon = architecture.equals("falcon") && !draft.parallel;
    if (sequentialFalcon || Set.of("gptneox", "stablelm").contains(architecture)) {
      metadata.put(key("use_parallel_residual"), GgufValue.of(draft.parallel));
    }
    heads();
    window();
    scales();
    experts();
    rope();
  }

  private void heads() {
    putPerLayer("attention.head_count", draft.heads);
    LatentConfig latent = draft.latent;
    if (latent != null) {
      latentHeads(latent);
      int queryRank = dimension("blk.0.attn_q_a.weight", 0);
      if (queryRank > 0) {
        put("attention.q_lora_rank", queryRank);
      }
      return;
    }
    putPerLayer("attention.head_count_kv", draft.kvHeads);
    put("attention.key_length", draft.headDim[fullLayer()]);
    put("attention.value_length", draft.headDim[fullLayer()]);
    if (architecture.equals("gemma4")) {
      put("attention.key_length_swa", draft.headDim[slidingLayer()]);
      put("attention.value_length_swa", draft.headDim[slidingLayer()]);
      put("attention.shared_kv_layers", draft.sharedCacheLayers);
      int perLayer = dimension("blk.0.inp_gate.weight", 0);
      put("embedding_length_per_layer_input", Math.max(0, perLayer));
    }
  }

  private void latentHeads(LatentConfig latent) {
    int keys = latent.nopeDim() + latent.ropeDim();
    int values = model.layers().getFirst().attention().valueDim();
    put("attention.kv_lora_rank", latent.rank());
    if (GgufNames.keepsJointHeads(architecture)) {
      putPerLayer("attention.head_count_kv", draft.heads);
      put("attention.key_length", keys);
      put("attention.value_length", values);
      return;
    }
    put("attention.head_count_kv", 1);
    put("attention.key_length", latent.rowDim());
    put("attention.value_length", latent.rank());
    put("attention.key_length_mla", keys);
    put("attention.value_length_mla", values);
  }

  /// The first layer that sees all positions, or the first of all.
  private int fullLayer() {
    return firstLayer(false);
  }

  private int slidingLayer() {
    return firstLayer(true);
  }

  private int firstLayer(boolean sliding) {
    for (int i = 0; i < draft.layerCount; i++) {
      if (slides(i) == sliding) {
        return i;
      }
    }
    return 0;
  }

  private boolean slides(int layer) {
    return draft.window > 0 && draft.slides.test(layer);
  }

  private void window() {
    if (draft.window == 0) {
      return;
    }
    put("attention.sliding_window", draft.window);
    boolean[] flags = new boolean[draft.layerCount];
    for (int i = 0; i < flags.length; i++) {
      flags[i] = draft.slides.test(i);
    }
    String pattern = "attention.sliding_window_pattern";
    int period = FLAGGED_WINDOWS.contains(architecture) ? -1 : period(flags);
    if (period >= 0) {
      put(pattern, period);
    } else {
      metadata.put(key(pattern), GgufValue.ofBooleans(flags));
    }
  }

  /// The n of "every n-th layer does not slide", 0 where all do, -1 where there is none.
  private static int period(boolean... flags) {
    for (int n = 0; n <= flags.length; n++) {
      int period = n;
      boolean fits = true;
      for (int i = 0; i < flags.length && fits; i++) {
        fits = flags[i] == (period == 0 || i % period < period - 1);
      }
      if (fits) {
        return n;
      }
    }
    return -1;
  }

  private void scales() {
    boolean granite = GgufNames.isScaled(architecture);
    if (granite) {
      put("embedding_scale", draft.embeddingScale);
      put("residual_scale", draft.residualScale);
      boolean factor = architecture.equals("hyperclovax");
      put("logit_scale", factor ? draft.logitScale : 1 / draft.logitScale);
    } else if (draft.logitScale != 1) {
      put("logit_scale", draft.logitScale);
    }
    double usual = 1 / Math.sqrt(draft.headDim[0]);
    boolean unusual = Math.abs(draft.attentionScale / usual - 1) > 1e-6;
    boolean granites = architecture.startsWith("granite");
    if (granites || unusual && draft.latent == null && !architecture.equals("gemma4")) {
      put("attention.scale", draft.attentionScale);
    }
    AttentionConfig.HeadRules rules = draft.rules;
    if (rules.clip() > 0) {
      put("attention.clamp_kqv", rules.clip());
    }
    if (rules.alibi() > 0) {
      put("attention.max_alibi_bias", rules.alibi());
    }
    if (architecture.equals("llama4")) {
      llama4();
    }
    if (draft.attentionSoftcap > 0) {
      put("attn_logit_softcapping", draft.attentionSoftcap);
    }
    // Readers take silence for Gemma 4's usual cap.
    if (draft.logitSoftcap > 0 || architecture.equals("gemma4")) {
      put("final_logit_softcapping", draft.logitSoftcap);
    }
  }

  private void llama4() {
    put("attention.temperature_scale", draft.queryScaling.beta());
    put("attention.temperature_length", draft.queryScaling.originalContext());
    put("attention.chunk_size", draft.optional(8192, "attention_chunk_size"));
    metadata.put(key("attention.qk_norm"), GgufValue.of(draft.rules.plainNorm()));
    int step = 1;
    while (step <= draft.layerCount && draft.rotates.test(step - 1)) {
      step++;
    }
    put("no_rope_layer_step", step);
  }

  private void experts() {
    MoeConfig moe = draft.moe;
    if (moe == null) {
      withoutExperts();
      return;
    }
    put("expert_count", moe.experts());
    int interval = draft.optional(1, "moe_layer_interval", "interleave_moe_layer_step");
    if (Set.of("llama4", "ernie4_5-moe").contains(architecture)) {
      put("interleave_moe_layer_step", interval);
    }
    put("expert_used_count", moe.expertsPerToken());
    int dense = 0;
    while (dense < draft.layerCount && dimension(expertsOf(dense), 1) < 0) {
      dense++;
    }
    if (dense < draft.layerCount) {
      put("expert_feed_forward_length", dimension(expertsOf(dense), 1));
      int shared = dimension("blk." + dense + ".ffn_up_shexp.weight", 0);
      if (shared > 0) {
        put(
            "expert_shared_count",
            Math.max(
                1,
                draft.optional(
                    1, "n_shared_experts", "num_shared_experts", "moe_num_shared_experts")));
        put("expert_shared_feed_forward_length", shared);
      }
    }
    metadata.put(key("expert_weights_norm"), GgufValue.of(moe.normalize()));
    boolean always = Set.of("deepseek2", "glm4moe").contains(architecture);
    if (always || dense > 0) {
      put("leading_dense_block_count", dense);
    }
    if (always || moe.sigmoid()) {
      put("expert_gating_func", moe.sigmoid() ? SIGMOID : SOFTMAX);
    }
    if (always || moe.scale() != 1) {
      put("expert_weights_scale", moe.scale());
    }
    if (moe.groups() > 1) {
      put("expert_group_count", moe.groups());
      put("expert_group_used_count", moe.keptGroups());
    }
  }

  /// Readers of DeepSeek's architecture want these keys of dense models too.
  private void withoutExperts() {
    if (architecture.equals("deepseek2")) {
      put("expert_count", 0);
      put("expert_used_count", 0);
      put("expert_shared_count", 0);
      put("expert_feed_forward_length", dimension("blk.0.ffn_down.weight", 1));
      put("leading_dense_block_count", draft.layerCount);
    }
  }

  private static String expertsOf(int layer) {
    return "blk." + layer + ".ffn_up_exps.weight";
  }

  private void rope() {
    RopeTable table = table(fullLayer());
    if (table == null) {
      table = table(slidingLayer());
    }
    if (table == null) {
      return;
    }
    Json rules = draft.ropeParameters(false);
    put("rope.dimension_count", 2 * table.pairs());
    double base = rules.doubleOr("rope_theta", draft.ropeBase(false));
    put("rope.freq_base", (float) RopeScaling.stretchedBase(rules, base, 2 * table.pairs()));
    RopeTable sliding = table(slidingLayer());
    if (Set.of("gemma3", "gemma4", "mellum").contains(architecture) && sliding != null) {
      double own = draft.ropeParameters(true).doubleOr("rope_theta", draft.ropeBase(true));
      put("rope.freq_base_swa", (float) own);
      if (architecture.equals("gemma4")) {
        put("rope.dimension_count_swa", 2 * sliding.pairs());
      }
    }
    String rule = rules.textOr("rope_type", rules.textOr("type", "default"));
    switch (rule) {
      case "linear" -> {
        metadata.put(key("rope.scaling.type"), GgufValue.of("linear"));
        put("rope.scaling.factor", (float) rules.doubleOr("factor", 1));
      }
      case "yarn" -> yarn(rules, table);
      case "longrope", "su" -> {
        metadata.put(key("rope.scaling.type"), GgufValue.of("longrope"));
        put("rope.scaling.attn_factor", table.magnitude());
        original(rules);
      }
      default -> {
        // Plain, or a rule whose frequencies the file holds as divisors.
      }
    }
    if (rules.has("llama_4_scaling_beta")) {
      float beta = (float) rules.get("llama_4_scaling_beta").asDouble();
      put("attention.temperature_scale", beta);
      put("attention.temperature_length", draft.queryScaling.originalContext());
    }
  }

  private void yarn(Json rules, RopeTable table) {
    double factor =
        rules.doubleOr(
            "factor",
            draft.maxPositions
                / rules.doubleOr("original_max_position_embeddings", draft.maxPositions));
    metadata.put(key("rope.scaling.type"), GgufValue.of("yarn"));
    put("rope.scaling.factor", (float) factor);
    original(rules);
    if (rules.has("beta_fast")) {
      put("rope.scaling.yarn_beta_fast", (float) rules.get("beta_fast").asDouble());
    }
    if (rules.has("beta_slow")) {
      put("rope.scaling.yarn_beta_slow", (float) rules.get("beta_slow").asDouble());
    }
    double expected = RopeScaling.yarnMscale(factor, 1);
    double all = rules.doubleOr("mscale_all_dim", 0);
    if (all != 0 && Set.of("deepseek2", "mistral4").contains(architecture)) {
      put("rope.scaling.yarn_log_multiplier", (float) (all / 10));
      expected = 1;
    } else if (all != 0 && architecture.equals("mistral3")) {
      put("rope.scaling.yarn_log_multiplier", (float) all);
      expected = RopeScaling.yarnMscale(factor, 1) / RopeScaling.yarnMscale(factor, all);
    }
    if (Math.abs(table.magnitude() / expected - 1) > 1e-6) {
      put("rope.scaling.attn_factor", (float) (table.magnitude() / expected));
    }
  }

  private void original(Json rules) {
    int length = rules.intOr("original_max_position_embeddings", draft.maxPositions);
    put("rope.scaling.original_context_length", length);
  }

  private @Nullable RopeTable table(int layer) {
    RopeConfig rope = model.layers().get(layer).attention().rope();
    return rope == null ? null : rope.table();
  }

  private int[] feedForwardLengths() {
    int[] lengths = new int[draft.layerCount];
    for (int i = 0; i < lengths.length; i++) {
      int length = dimension("blk." + i + ".ffn_down.weight", 1);
      lengths[i] = length > 0 ? length : 0;
    }
    int experts = dimension(expertsOf(draft.layerCount - 1), 1);
    boolean mixed = Arrays.stream(lengths).anyMatch(length -> length > 0);
    for (int i = 0; i < lengths.length; i++) {
      int stated = draft.optional(Math.max(experts, 0), "intermediate_size");
      lengths[i] = lengths[i] > 0 ? lengths[i] : mixed ? largest(lengths) : stated;
      // That of Qwen 1 counts the gate's rows too.
      lengths[i] *= architecture.equals("qwen") ? 2 : 1;
    }
    return lengths;
  }

  private static int largest(int... values) {
    return Arrays.stream(values).max().orElse(0);
  }

  /// A dimension of a weight, -1 where the model has no such weight.
  private int dimension(String name, int index) {
    Part weight = weights.get(name);
    return weight == null ? -1 : Math.toIntExact(weight.shape()[index]);
  }

  private String key(String name) {
    return architecture + "." + name;
  }

  private void put(String name, int value) {
    metadata.put(key(name), GgufValue.of(value));
  }

  private void put(String name, float value) {
    metadata.put(key(name), GgufValue.of(value));
  }

  /// One number where all layers have the same, else one each.
  private void putPerLayer(String name, int... values) {
    boolean same = Arrays.stream(values).allMatch(value -> value == values[0]);
    if (same) {
      put(name, values[0]);
    } else {
      metadata.put(key(name), GgufValue.ofInts(values));
    }
  }
}
