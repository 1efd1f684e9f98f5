package io.kvasir.cli.eval;

import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.Transformer;

/// What is measured: a model on a backend, whose caches differ.
///
/// @param profile what formats that centre keys take from them
public record EvalSubject(
    Transformer transformer, Backend backend, int blockTokens, KvProfile profile) {

  /// The same model with caches in blocks of another size.
  EvalSubject withBlockTokens(int value) {
    return new EvalSubject(transformer, backend, value, profile);
  }

  ModelConfig config() {
    return transformer.config();
  }

  KvLayout layout(KvRecipe recipe) {
    return config().kvLayout(blockTokens, recipe);
  }

  TestedCache cache(KvRecipe recipe, int capacity) {
    return new TestedCache(transformer, backend, layout(recipe), profile, capacity);
  }

  /// Rows for which a pass and its scores fit into some ten MiB.
  ///
  /// @param vocabulary number of tokens
  public static int passRows(int vocabulary) {
    return Math.clamp((1 << 20) / Math.max(1, vocabulary), 16, 128);
  }
}
