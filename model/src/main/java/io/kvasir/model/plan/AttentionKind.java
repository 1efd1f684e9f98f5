package io.kvasir.model.plan;

/// The ways to share keys and values between query heads, to compare what a model would cost with
/// each.
public enum AttentionKind {
  /// As the model has it.
  OWN,
  /// Every query head has its own key and value head.
  MHA,
  /// Eight key and value heads (Ainslie et al. 2023, arXiv 2305.13245), as most models have.
  GQA,
  /// One key and value head (Shazeer 2019, arXiv 1911.02150).
  MQA,
  /// One latent row of 4.5 head sizes for all heads (DeepSeek-V2, arXiv 2405.04434, section 2.1).
  MLA;

  private static final int GQA_HEADS = 8;

  /// `layer` as it would be with this kind; layers without attention stay as they are.
  KvLayer applyTo(KvLayer layer) {
    boolean attends =
        switch (layer.kind()) {
          case FULL, WINDOW, LATENT -> true;
          case STATE, SHARED -> false;
        };
    if (!attends) {
      return layer;
    }
    return switch (this) {
      case OWN -> layer;
      case MHA -> withKvHeads(layer, layer.heads());
      case GQA -> withKvHeads(layer, gqaHeads(layer.heads()));
      case MQA -> withKvHeads(layer, 1);
      case MLA ->
          layer.kind() == KvLayer.Kind.FULL
              ? new KvLayer(
                  KvLayer.Kind.LATENT,
                  layer.heads(),
                  layer.headDim(),
                  layer.valueDim(),
                  layer.kvHeads(),
                  4 * layer.valueDim() + layer.valueDim() / 2,
                  0,
                  layer.stateBytes())
              : layer;
    };
  }

  private static KvLayer withKvHeads(KvLayer layer, int kvHeads) {
    return new KvLayer(
        layer.kind() == KvLayer.Kind.LATENT ? KvLayer.Kind.FULL : layer.kind(),
        layer.heads(),
        layer.headDim(),
        layer.valueDim(),
        kvHeads,
        0,
        layer.window(),
        layer.stateBytes());
  }

  /// The largest count up to eight that divides the query heads.
  private static int gqaHeads(int heads) {
    int kvHeads = Math.min(GQA_HEADS, heads);
    while (heads % kvHeads != 0) {
      kvHeads--;
    }
    return kvHeads;
  }
}
