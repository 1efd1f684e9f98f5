package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Norm;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.List;

/// Everything the transformer needs to know of a model besides its weights. Made from a Hugging
/// Face `config.json` or from GGUF metadata; which norms, biases and gates exist follows from the
/// weights.
///
/// @param architecture the family's name
/// @param width elements of the residual stream D
/// @param contextLength positions the model was made for
/// @param parallel whether attention and feed-forward read the same input and are added together
/// @param embeddingScale factor of token embeddings
/// @param residualScale factor of each branch before it is added to the stream
/// @param logitScale factor of the logits
/// @param logitSoftcap cap of the logits, 0 for none
/// @param plainNorms whether layers normalize without weights (OLMo)
/// @param positionOffset row of the learned position table that belongs to position 0
/// @param queryScaling growth of queries with position, or [QueryScaling#NONE]
public record ModelConfig(
    String architecture,
    int width,
    int contextLength,
    List<LayerConfig> layers,
    Norm.Kind normKind,
    float normEpsilon,
    Activation activation,
    boolean parallel,
    float embeddingScale,
    float residualScale,
    float logitScale,
    float logitSoftcap,
    boolean plainNorms,
    int positionOffset,
    QueryScaling queryScaling) {

  public ModelConfig {
    layers = List.copyOf(layers);
    if (width <= 0 || contextLength <= 0 || layers.isEmpty()) {
      throw new IllegalArgumentException(
          "impossible model: width=%d context=%d layers=%d"
              .formatted(width, contextLength, layers.size()));
    }
  }

  /// Queries at position p are multiplied by `1 + beta * ln(1 + floor((p + shift) /
  /// originalContext))` (Llama 4, Ministral 3).
  ///
  /// @param unrotatedOnly whether layers that rotate are left alone
  public record QueryScaling(float beta, int originalContext, int shift, boolean unrotatedOnly) {
    public static final QueryScaling NONE = new QueryScaling(0, 1, 0, false);

    public QueryScaling {
      if (originalContext <= 0) {
        throw new IllegalArgumentException("query scaling every " + originalContext + " positions");
      }
    }

    float at(int position) {
      double steps = Math.floor(((double) position + shift) / originalContext);
      return (float) (1 + beta * Math.log1p(steps));
    }
  }

  /// How keys and values lie in cache blocks; layers that read another's rows have none of their
  /// own.
  public KvLayout kvLayout(int blockTokens, KvRecipe recipe) {
    List<LayerKv> kept = new ArrayList<>();
    int count = cacheLayers();
    for (int i = 0; i < layers.size(); i++) {
      AttentionConfig attention = layers.get(i).attention();
      if (attention.cacheSource() == i) {
        kept.add(layerKv(attention, recipe.of(kept.size(), count)));
      }
    }
    return KvLayout.of(kept, blockTokens);
  }

  /// Layers that keep keys and values of their own.
  public int cacheLayers() {
    int count = 0;
    for (int i = 0; i < layers.size(); i++) {
      count += layers.get(i).attention().cacheSource() == i ? 1 : 0;
    }
    return count;
  }

  /// The number that the layer's rows have in [#kvLayout].
  public int cacheLayer(int layer) {
    int source = layers.get(layer).attention().cacheSource();
    int cacheLayer = 0;
    for (int i = 0; i < source; i++) {
      cacheLayer += layers.get(i).attention().cacheSource() == i ? 1 : 0;
    }
    return cacheLayer;
  }

  private static LayerKv layerKv(AttentionConfig attention, KvRecipe.Formats formats) {
    AttentionConfig.LatentConfig latent = attention.latent();
    if (latent != null) {
      return new LayerKv(
          1,
          latent.rowDim(),
          0,
          attention.window(),
          formats.keys(),
          formats.keys(),
          formats.exact());
    }
    return new LayerKv(
        attention.kvHeads(),
        attention.headDim(),
        attention.valueDim(),
        attention.window(),
        formats.keys(),
        formats.values(),
        formats.exact());
  }
}
