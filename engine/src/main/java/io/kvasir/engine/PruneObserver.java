package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionObserver;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.prune.LinearScorer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Sees what the next prunings of a batch's sequences need while the batch is computed: queries by
/// position, and scores of hidden states. Owned by the engine's thread.
final class PruneObserver implements AttentionObserver {
  private final Backend backend;
  private final List<PrunedLayer> layers;
  private final @Nullable LinearScorer scorer;
  private float[] hidden = new float[0];
  private Batch batch = new Batch();

  PruneObserver(Backend backend, List<PrunedLayer> layers, @Nullable LinearScorer scorer) {
    this.backend = backend;
    this.layers = layers;
    this.scorer = scorer;
  }

  /// Whether anything of the batch has to be seen.
  boolean watch(Batch next) {
    batch = next;
    for (int i = 0; i < next.size(); i++) {
      Sequence sequence = next.sequence(i);
      int end = sequence.table().length() + next.count(i);
      if (end > sequence.plan().observedFrom()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void attending(
      AttentionMetadata metadata,
      AttentionSpec spec,
      Buffer in,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v) {
    int layer = spec.cacheLayer();
    if (k == null || !layers.get(layer).prunable()) {
      return;
    }
    for (int i = 0; i < batch.size(); i++) {
      PrunePlan plan = batch.sequence(i).plan();
      int first = metadata.firstRow(i);
      int from = batch.sequence(i).table().length();
      int end = from + batch.count(i);
      QueryRows queries = end > plan.observedFrom() ? plan.queries() : null;
      for (int position = from; queries != null && position < end; position++) {
        if (queries.wants(position)) {
          queries.record(backend, layer, position, q, first + position - from);
        }
      }
      if (scorer != null && plan.wantsScores()) {
        RowScores scores = plan.scores(layers.size());
        for (int position = from; position < end; position++) {
          score(scorer, scores, layer, position, in, first + position - from);
        }
      }
    }
  }

  private void score(
      LinearScorer linear, RowScores scores, int layer, int position, Buffer in, int row) {
    if (hidden.length < in.columns()) {
      hidden = new float[in.columns()];
    }
    backend.read(in, row, hidden, 0);
    for (int head = 0; head < linear.heads(); head++) {
      scores.set(layer, head, linear.heads(), position, linear.score(layer, head, hidden, 0));
    }
  }
}
