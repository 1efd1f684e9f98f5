package io.kvasir.model.plan;

import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What all layers of a model keep of a sequence.
///
/// @param layers by layer number; unmodifiable
public record KvShape(List<KvLayer> layers) {

  /// Tokens that the search for the largest context ends at.
  private static final long MOST_TOKENS = 1L << 40;

  public KvShape {
    layers = List.copyOf(layers);
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("a model without layers has no cache");
    }
  }

  /// The same model with another way to share keys and values.
  public KvShape with(AttentionKind kind) {
    return new KvShape(layers.stream().map(kind::applyTo).toList());
  }

  /// Equal layers with their count, in order of their first appearance.
  public Map<KvLayer, Integer> groups() {
    Map<KvLayer, Integer> groups = new LinkedHashMap<>();
    for (KvLayer layer : layers) {
      groups.merge(layer, 1, Integer::sum);
    }
    return groups;
  }

  /// Bytes that one more token takes before any window lets go.
  public double bytesPerToken(KvRecipe format) {
    double bytes = 0;
    for (KvLayer kind : groups().keySet()) {
      bytes += bytesPerToken(kind, format);
    }
    return bytes;
  }

  /// Bytes that one more token takes in the layers that equal `kind`.
  double bytesPerToken(KvLayer kind, KvRecipe format) {
    double bytes = 0;
    int cacheLayer = 0;
    int count = cacheLayers();
    for (KvLayer layer : layers) {
      if (layer.isCached()) {
        KvRecipe.Formats formats = format.of(cacheLayer++, count);
        bytes += layer.equals(kind) ? layer.bytesPerToken(formats) : 0;
      }
    }
    return bytes;
  }

  private int cacheLayers() {
    int count = 0;
    for (KvLayer layer : layers) {
      count += layer.isCached() ? 1 : 0;
    }
    return count;
  }

  /// Bytes that a sequence of `tokens` takes, in whole blocks, states and exact copies included.
  public long bytes(long tokens, KvRecipe format, int blockTokens) {
    double bytes = 0;
    int cacheLayer = 0;
    int count = cacheLayers();
    for (KvLayer layer : layers) {
      bytes += layer.stateBytes();
      if (layer.isCached()) {
        KvRecipe.Formats formats = format.of(cacheLayer++, count);
        bytes += layer.bytesPerToken(formats) * layer.tokensHeld(tokens, blockTokens);
        bytes += layer.exactBytes(formats.exact(), tokens, blockTokens);
      }
    }
    return (long) Math.ceil(bytes);
  }

  /// The longest sequence that `memoryBytes` hold; [Long#MAX_VALUE] where length costs nothing.
  public long largestContext(long memoryBytes, KvRecipe format, int blockTokens) {
    if (bytes(blockTokens, format, blockTokens) > memoryBytes) {
      return 0;
    }
    if (bytes(MOST_TOKENS, format, blockTokens) <= memoryBytes) {
      return Long.MAX_VALUE;
    }
    long fits = blockTokens;
    long tooMany = MOST_TOKENS;
    while (tooMany - fits > 1) {
      long middle = (fits + tooMany) >>> 1;
      if (bytes(middle, format, blockTokens) <= memoryBytes) {
        fits = middle;
      } else {
        tooMany = middle;
      }
    }
    return fits;
  }

  /// A short name of how keys and values are shared: `MHA`, `GQA 8`, `MQA`, `MLA`, or `none`.
  public String attentionName() {
    List<String> names = new ArrayList<>();
    for (KvLayer layer : layers) {
      String name =
          switch (layer.kind()) {
            case FULL, WINDOW ->
                layer.kvHeads() == layer.heads()
                    ? "MHA"
                    : layer.kvHeads() == 1 ? "MQA" : "GQA " + layer.kvHeads();
            case LATENT -> "MLA";
            case STATE, SHARED -> "";
          };
      if (!name.isEmpty() && !names.contains(name)) {
        names.add(name);
      }
    }
    return names.isEmpty() ? "none" : String.join(" + ", names);
  }
}
