package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionObserver;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.prune.LinearScorer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Sees what the next prunings of a batch's sequences need while the batch is computed: queries by
/// position, and scores of hidden states. Owned by the engine's thread.
final class PruneObserver implements AttentionObserver {
  private final Backend backend;
  private final List<PrunedLayer> layers;
  private final @Nullable LinearScorer scorer;
  private final MarginScores margins;
  private float[] hidden = new float[0];

  /// Of the batch's rows, `[rows, width]`.
  private float[] scores = new float[0];

  private Batch batch = new Batch();

  /// @param margins keeps what the scorer says of rows
  PruneObserver(
      Backend backend,
      List<PrunedLayer> layers,
      MarginScores margins,
      @Nullable LinearScorer scorer) {
    this.backend = backend;
    this.margins = margins;
    this.layers = layers;
    this.scorer = scorer;
  }

  /// Whether anything of the batch has to be seen.
  boolean watch(Batch next) {
    batch = next;
    if (scorer != null && scores.length < next.tokens() * margins.places().width()) {
      scores = new float[next.tokens() * margins.places().width()];
    }
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
        for (int row = first; row < first + end - from; row++) {
          score(scorer, layer, in, row);
        }
      }
    }
  }

  private void score(LinearScorer linear, int layer, Buffer in, int row) {
    if (hidden.length < in.columns()) {
      hidden = new float[in.columns()];
    }
    backend.read(in, row, hidden, 0);
    ScorePlaces places = margins.places();
    for (int head = 0; head < places.heads(layer); head++) {
      scores[row * places.width() + places.unit(layer, head)] =
          linear.score(layer, head, hidden, 0);
    }
  }

  /// The batch has been computed: its rows' scores are kept with its sequences.
  void computed(AttentionMetadata metadata) {
    for (int i = 0; scorer != null && i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      if (sequence.plan().wantsScores()) {
        int from = metadata.firstRow(i) * margins.places().width();
        int to = from + batch.count(i) * margins.places().width();
        margins.write(sequence.table(), sequence.plan(), Arrays.copyOfRange(scores, from, to));
      }
    }
  }
}
