package io.kvasir.engine;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Where the weights of a model's [LinearScorer] are: beside the model, under its name and
/// `.kvzap`.
public final class PruneWeights {
  private static final System.Logger LOG = System.getLogger(PruneWeights.class.getName());

  private PruneWeights() {}

  /// The file of a model's weights: `model.gguf.kvzap` beside `model.gguf`, `kvzap` inside a
  /// folder.
  public static Path file(Path model) {
    return Files.isDirectory(model)
        ? model.resolve("kvzap")
        : model.resolveSibling(model.getFileName() + ".kvzap");
  }

  /// What is configured, or else the model's own; null where neither is there or fits.
  static @Nullable LinearScorer of(
      EngineConfig config, Path path, ModelConfig model, KvLayout layout) {
    LinearScorer configured = config.pruneWeights();
    Path file = file(path);
    if (configured != null || !Files.isRegularFile(file)) {
      return configured == null || fits(configured, model, layout) ? configured : null;
    }
    try {
      LinearScorer scorer = LinearScorer.read(file);
      if (fits(scorer, model, layout)) {
        return scorer;
      }
      LOG.log(System.Logger.Level.WARNING, "event=prune_weights_of_another_model file=" + file);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "event=prune_weights_unreadable error=" + e);
    }
    return null;
  }

  private static boolean fits(LinearScorer scorer, ModelConfig model, KvLayout layout) {
    boolean fits = scorer.layers() == layout.layerCount() && scorer.width() == model.width();
    for (int layer = 0; layer < layout.layerCount(); layer++) {
      fits &= scorer.heads() == layout.kv(layer).kvHeads();
    }
    return fits;
  }
}
