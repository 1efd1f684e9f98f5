package io.kvasir.kvcache.format;

import java.io.Serial;

/// A recipe names a layer that the model does not cache. The message says which, in one sentence.
public final class LayerNumberException extends IllegalArgumentException {
  @Serial private static final long serialVersionUID = 1;

  LayerNumberException(String recipe, int layer, int layers) {
    super(
        "cache format '%s' names layer %d, but the model caches %d layers"
            .formatted(recipe, layer, layers));
  }
}
