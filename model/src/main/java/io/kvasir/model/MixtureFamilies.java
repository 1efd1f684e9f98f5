package io.kvasir.model;

import io.kvasir.model.ModelConfig.QueryScaling;
import java.util.ArrayList;
import java.util.List;

/// What families with mixtures of experts derive from their configuration; see [Families].
final class MixtureFamilies {
  private MixtureFamilies() {}

  static void qwen(ModelDraft d) {
    normalize(d, d.config.booleanOr("norm_topk_prob", false));
    int step = d.optional(1, "decoder_sparse_step");
    List<Integer> dense = new ArrayList<>();
    d.config.get("mlp_only_layers").asList().forEach(layer -> dense.add(layer.asInt()));
    d.routed = layer -> !dense.contains(layer) && (layer + 1) % step == 0;
  }

  static void normalize(ModelDraft d, boolean normalize) {
    MoeConfig m = d.moe;
    if (m != null) {
      boolean stated = d.config.booleanOr("norm_topk_prob", normalize);
      d.moe = plain(m, m.sigmoid(), stated, m.scale());
    }
  }

  static void deepseekV2(ModelDraft d) {
    firstLayersDense(d);
    MoeConfig m = d.moe;
    if (m != null) {
      boolean limited = "group_limited_greedy".equals(d.config.textOr("topk_method", "greedy"));
      int groups = limited ? d.optional(1, "n_group") : 1;
      int kept = limited ? d.optional(1, "topk_group") : 1;
      // The published code scales and never normalizes.
      d.moe =
          new MoeConfig(m.experts(), m.expertsPerToken(), false, groups, kept, 1, false, m.scale());
    }
  }

  static void deepseekV3(ModelDraft d) {
    firstLayersDense(d);
    MoeConfig m = d.moe;
    if (m != null) {
      int groups = d.optional(1, "n_group");
      int kept = d.optional(1, "topk_group");
      d.moe =
          new MoeConfig(
              m.experts(), m.expertsPerToken(), true, groups, kept, 2, m.normalize(), m.scale());
    }
  }

  static void firstLayersDense(ModelDraft d) {
    int dense = d.optional(0, "first_k_dense_replace");
    int every = d.optional(1, "moe_layer_freq");
    d.routed = layer -> layer >= dense && layer % every == 0;
  }

  /// The best few by softmax without groups, with shared experts beside them (DeepSeek 1).
  static void deepseekV1(ModelDraft d) {
    firstLayersDense(d);
    normalize(d, false);
  }

  /// Sigmoid scores with a selection bias, and where no group is named, without groups.
  static void sigmoid(ModelDraft d) {
    MoeConfig m = d.moe;
    if (m != null) {
      d.moe = plain(m, true, true, m.scale());
    }
  }

  /// Groups ranked by the sum of their two best, as in DeepSeek-V3, but of softmax scores.
  static void mistral4(ModelDraft d) {
    firstLayersDense(d);
    MoeConfig m = d.moe;
    if (m != null) {
      int groups = d.optional(1, "n_group");
      int kept = d.optional(1, "topk_group");
      d.moe =
          new MoeConfig(
              m.experts(), m.expertsPerToken(), false, groups, kept, 2, m.normalize(), m.scale());
    }
  }

  static void afmoe(ModelDraft d) {
    MoeConfig m = d.moe;
    int dense = d.optional(0, "num_dense_layers", "first_k_dense_replace");
    d.routed = layer -> layer >= dense;
    if (m != null) {
      d.moe = plain(m, true, true, (float) d.config.doubleOr("route_scale", m.scale()));
    }
    if (d.config.booleanOr("mup_enabled", false)) {
      d.embeddingScale = (float) Math.sqrt(d.width);
    }
    d.rotates = layer -> d.window == 0 || d.slides.test(layer);
  }

  static void exaone(ModelDraft d) {
    deepseekV3(d);
    int pattern = d.optional(4, "sliding_window_pattern");
    if (!d.config.has("layer_types")) {
      d.slides = layer -> (layer + 1) % pattern != 0;
    }
    d.rotates = layer -> d.window == 0 || d.slides.test(layer);
  }

  /// SparseMixer picks experts whose logits are within twice the jitter that training used.
  static void phi(ModelDraft d) {
    MoeConfig m = d.moe;
    if (m != null) {
      float range = (float) (2 * d.config.doubleOr("router_jitter_noise", 0.01));
      d.moe =
          new MoeConfig(m.experts(), m.expertsPerToken(), false, 1, 1, 1, false, 1, range, false);
    }
  }

  /// Llama 4. Layers that rotate see the chunk of positions that the query is in; so that they see
  /// what they saw in training, contexts end with the first chunk.
  static void llama4(ModelDraft d) {
    MoeConfig m = d.moe;
    if (m != null) {
      d.moe =
          new MoeConfig(
              m.experts(), d.optional(1, "num_experts_per_tok"), true, 1, 1, 1, false, 1, 0, true);
    }
    int chunk = d.optional(8192, "attention_chunk_size");
    if (chunk > 0) {
      d.contextLength = Math.min(d.contextLength, chunk);
    }
    boolean normalized = d.config.booleanOr("use_qk_norm", true);
    d.rules = d.rules.plainNorm(normalized).normLast(normalized);
    if (d.config.booleanOr("attn_temperature_tuning", true)) {
      float beta = (float) d.config.doubleOr("attn_scale", 0.1);
      d.queryScaling = new QueryScaling(beta, d.optional(8192, "floor_scale"), 1, true);
    }
  }

  private static MoeConfig plain(MoeConfig m, boolean sigmoid, boolean normalize, float scale) {
    return new MoeConfig(
        m.experts(),
        m.expertsPerToken(),
        sigmoid,
        m.groups(),
        m.keptGroups(),
        m.groupTop(),
        normalize,
        scale);
  }
}
