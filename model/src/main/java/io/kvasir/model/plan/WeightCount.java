package io.kvasir.model.plan;

import io.kvasir.model.plan.ConfigShape.MambaSizes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Counts the parameters that a configuration implies, by part of the model. Exact in matrices;
/// norms and biases are counted as the families have them, which is exact for most and never
/// matters to more than a few parts in a thousand of a real model.
final class WeightCount {

  /// Families whose feed-forward has two matrices, without a gate.
  private static final Set<String> NO_GATE =
      Set.of(
          "gpt2",
          "gpt_bigcode",
          "gpt_neox",
          "gptj",
          "falcon",
          "phi",
          "starcoder2",
          "nemotron",
          "opt",
          "bloom",
          "mpt");

  /// Families with biases on all matrices of attention and feed-forward.
  private static final Set<String> ALL_BIASES =
      Set.of("gpt2", "gpt_bigcode", "gpt_neox", "phi", "starcoder2");

  /// Families with biases on queries, keys and values.
  private static final Set<String> QKV_BIASES =
      Set.of("qwen2", "qwen2_moe", "seed_oss", "qwen2_vl");

  /// Families with norms of query and key heads.
  private static final Set<String> QK_NORMS =
      Set.of("qwen3", "qwen3_moe", "qwen3_next", "qwen3_5", "gemma3", "gemma4", "lfm2", "exaone4");

  /// Families whose norms have a bias.
  private static final Set<String> NORM_BIASES =
      Set.of(
          "gpt2", "gpt_bigcode", "gpt_neox", "phi", "starcoder2", "falcon", "nemotron", "stablelm");

  private final ConfigKeys keys;
  private final KvShape kv;
  private final String family;
  private final long width;
  private long embedding;
  private long attention;
  private long recurrent;
  private long feedForward;
  private long experts;
  private long activeExperts;
  private long output;
  private long vectors;

  WeightCount(ConfigKeys keys, KvShape kv) {
    this.keys = keys;
    this.kv = kv;
    family = keys.modelType();
    width = keys.width();
  }

  /// @throws ArithmeticException where a product exceeds 63 bits
  List<WeightRole> roles() {
    countEnds();
    for (int i = 0; i < kv.layers().size(); i++) {
      KvLayer layer = kv.layers().get(i);
      countMixer(i, layer);
      if (!family.startsWith("mamba")) {
        countFeedForward(i);
      }
      vectors += normCount() * width * (NORM_BIASES.contains(family) ? 2 : 1);
    }
    List<WeightRole> roles = new ArrayList<>();
    add(roles, "embeddings", embedding);
    add(roles, "attention", attention);
    add(roles, "recurrent", recurrent);
    add(roles, "feed-forward", feedForward);
    if (experts > 0) {
      roles.add(new WeightRole(WeightRole.EXPERTS, experts, 0, activeExperts));
    }
    add(roles, "output", output);
    roles.add(new WeightRole("norms and biases", 0, vectors, vectors));
    return roles;
  }

  private static void add(List<WeightRole> roles, String name, long matrix) {
    if (matrix > 0) {
      roles.add(new WeightRole(name, matrix, 0, matrix));
    }
  }

  private void countEnds() {
    long vocabulary = keys.size("vocab_size");
    embedding = vocabulary * width;
    if (family.equals("gpt2") || family.equals("gpt_bigcode")) {
      embedding += keys.contextLength() * width;
    }
    long perLayer = keys.sizeOr(0, "hidden_size_per_layer_input");
    if (perLayer > 0) {
      long all = perLayer * kv.layers().size();
      embedding += keys.sizeOr((int) vocabulary, "vocab_size_per_layer_input") * all;
      embedding += width * all;
      vectors += perLayer + kv.layers().size();
    }
    if (!keys.flag("tie_word_embeddings", tiedByDefault())) {
      output = vocabulary * width;
      vectors += family.equals("phi") ? vocabulary : 0;
    }
    vectors += width * (NORM_BIASES.contains(family) ? 2 : 1);
  }

  private boolean tiedByDefault() {
    return family.startsWith("gemma")
        || family.startsWith("gpt2")
        || family.equals("gpt_bigcode")
        || family.startsWith("cohere")
        || family.equals("falcon")
        || family.equals("lfm2")
        || family.equals("starcoder2");
  }

  /// Norms of the residual stream in one layer.
  private int normCount() {
    return switch (family) {
      case "gemma2", "gemma3", "gemma3n", "glm4" -> 4;
      case "gemma4" -> 5;
      case "cohere", "cohere2", "phi", "falcon", "mamba2", "mamba" -> 1;
      default -> 2;
    };
  }

  private void countMixer(int index, KvLayer layer) {
    switch (layer.kind()) {
      case FULL, WINDOW -> {
        countHeads(layer);
        if (layer.stateBytes() > 0) {
          countMamba();
        }
      }
      case LATENT -> countLatent(layer);
      case STATE -> countRecurrent();
      case SHARED -> countHeads(ownOf(index));
    }
  }

  /// A layer that reads the rows of another still has matrices of its own.
  private KvLayer ownOf(int index) {
    for (int i = index - 1; i >= 0; i--) {
      KvLayer layer = kv.layers().get(i);
      if (layer.kind() != KvLayer.Kind.SHARED) {
        return layer;
      }
    }
    throw new IllegalArgumentException("all layers share the rows of others");
  }

  private void countHeads(KvLayer layer) {
    long queries = (long) layer.heads() * layer.headDim();
    long kvWidth = (long) layer.kvHeads() * (layer.headDim() + layer.valueDim());
    boolean gated = family.equals("qwen3_next") || family.equals("qwen3_5");
    attention += width * (gated ? 2 * queries : queries);
    attention += width * kvWidth;
    attention += (long) layer.heads() * layer.valueDim() * width;
    boolean all = ALL_BIASES.contains(family) || keys.flag("attention_bias", false);
    boolean three = QKV_BIASES.contains(family) || keys.flag("use_qkv_bias", false);
    if (all || three) {
      boolean outBias = all && !family.equals("glm4") && !family.equals("seed_oss");
      vectors += queries + kvWidth + (keys.flag("attention_out_bias", outBias) ? width : 0);
    }
    if (QK_NORMS.contains(family)) {
      vectors += 2L * layer.headDim();
    } else if (family.equals("olmo2") || family.equals("olmo3") || family.equals("olmoe")) {
      vectors += queries + (long) layer.kvHeads() * layer.headDim();
    }
  }

  private void countLatent(KvLayer layer) {
    long rank = keys.size("kv_lora_rank");
    long rope = keys.size("qk_rope_head_dim");
    long nope = keys.size("qk_nope_head_dim");
    long queries = (long) layer.heads() * layer.headDim();
    long queryRank = keys.sizeOr(0, "q_lora_rank");
    attention += queryRank > 0 ? queryRank * (width + queries) : width * queries;
    attention += width * (rank + rope);
    attention += rank * layer.heads() * (nope + layer.valueDim());
    attention += (long) layer.heads() * layer.valueDim() * width;
    vectors += rank + queryRank;
  }

  private void countRecurrent() {
    if (keys.has("linear_num_value_heads")) {
      long valueHeads = keys.size("linear_num_value_heads");
      long valueWidth = valueHeads * keys.size("linear_value_head_dim");
      long keyWidth = (long) keys.size("linear_num_key_heads") * keys.size("linear_key_head_dim");
      long channels = 2 * keyWidth + valueWidth;
      recurrent += width * (channels + valueWidth + 2 * valueHeads) + valueWidth * width;
      vectors += channels * keys.sizeOr(4, "linear_conv_kernel_dim");
      vectors += 2 * valueHeads + keys.size("linear_value_head_dim");
    } else if (keys.has("conv_L_cache")) {
      recurrent += 4 * width * width;
      vectors += width * keys.size("conv_L_cache");
    } else {
      countMamba();
    }
  }

  private void countMamba() {
    MambaSizes mamba = MambaSizes.of(keys);
    long in = 2 * mamba.inner() + 2L * mamba.groups() * mamba.state() + mamba.heads();
    recurrent += width * in + mamba.inner() * width;
    vectors += mamba.convChannels() * (mamba.kernel() + 1L) + 3L * mamba.heads();
    if (family.startsWith("mamba") || keys.flag("mamba_rms_norm", false)) {
      vectors += mamba.inner();
    }
  }

  private void countFeedForward(int layer) {
    int count = keys.sizeOr(0, "num_local_experts", "n_routed_experts", "num_experts");
    boolean dense =
        count == 0
            || layer < keys.sizeOr(0, "first_k_dense_replace")
            || keys.lists("mlp_only_layers", layer)
            || (layer + 1) % Math.max(1, keys.sizeOr(1, "decoder_sparse_step")) != 0;
    if (dense) {
      long inner = innerSize();
      feedForward += matrices() * width * inner;
      vectors += ALL_BIASES.contains(family) || keys.flag("mlp_bias", false) ? inner + width : 0;
    } else {
      countExperts(count);
    }
    long perLayer = keys.sizeOr(0, "hidden_size_per_layer_input");
    feedForward += 2 * width * perLayer;
  }

  private void countExperts(int count) {
    long inner = keys.sizeOr(0, "moe_intermediate_size");
    inner = inner > 0 ? inner : keys.size("intermediate_size");
    long one = Math.multiplyExact(3 * width, inner);
    long chosen = Math.min(count, keys.sizeOr(count, "num_experts_per_tok", "top_k_experts"));
    experts = Math.addExact(experts, Math.multiplyExact(one, count));
    activeExperts = Math.addExact(activeExperts, Math.multiplyExact(one, chosen));
    feedForward += width * count;
    long sharedInner = keys.sizeOr(0, "shared_expert_intermediate_size");
    if (sharedInner > 0) {
      feedForward += 3 * width * sharedInner + width;
    }
    long shared = keys.sizeOr(0, "n_shared_experts", "num_shared_experts");
    feedForward = Math.addExact(feedForward, Math.multiplyExact(shared, one));
    if (family.equals("gpt_oss")) {
      vectors += count * (2 * inner + width + 1) + keys.heads();
    } else if (keys.has("n_group") && !family.equals("deepseek_v2")) {
      vectors += count;
    }
  }

  private int matrices() {
    return NO_GATE.contains(family) ? 2 : 3;
  }

  private long innerSize() {
    long inner = keys.sizeOr(0, "intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim");
    if (inner == 0) {
      return 4 * width;
    }
    if (keys.flag("block_auto_adjust_ff_dim", false)) {
      long multiple = keys.sizeOr(256, "block_multiple_of");
      inner = (2 * inner / 3 + multiple - 1) / multiple * multiple;
    }
    return inner;
  }
}
