package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.ModelSummary;
import java.nio.file.Path;

/// Tells what an engine would refuse to prune, without opening the model.
public final class PruneCheck {
  private PruneCheck() {}

  /// Checks what [Engine#submit] would.
  ///
  /// @param model a GGUF file or a Hugging Face folder
  /// @param backend where it would run
  /// @param config of the engine
  /// @param promptLength tokens of the longest prompt
  /// @throws IllegalArgumentException saying why not, in one sentence
  public static void check(
      Path model, Backend backend, EngineConfig config, PruneOptions options, int promptLength) {
    ModelConfig shape = ModelSummary.read(model).config();
    KvLayout layout = shape.kvLayout(config.blockTokens(), config.kvFormat());
    int context =
        config.contextTokens() > 0
            ? Math.min(config.contextTokens(), shape.contextLength())
            : shape.contextLength();
    boolean scores = PruneWeights.of(config, model, shape, layout) != null;
    new PruneLimits(context, config.useCache(), scores, backend.skipsPages())
        .check(options, PrunedLayer.of(shape, layout), layout, promptLength);
  }
}
