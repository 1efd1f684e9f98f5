package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.KvCache;
import io.kvasir.model.Transformer;
import java.util.Arrays;

/// Runs a [Batch] through the transformer and chooses the next token of each sequence that it
/// completes. Owned by the engine's thread.
final class ModelRunner {
  private final Transformer transformer;
  private final Backend backend;
  private final AttentionMetadata metadata;
  private final Sampler sampler = new Sampler();
  private final float[] scores;
  private int[] tokens = new int[16];
  private int[] chosen = new int[8];
  private final int[] row = new int[1];

  ModelRunner(Transformer transformer, Backend backend, KvCache cache) {
    this.transformer = transformer;
    this.backend = backend;
    this.metadata = new AttentionMetadata(cache.layout(), cache.storage());
    this.scores = new float[transformer.vocabularySize()];
  }

  /// @return the chosen token of each sequence of the batch; meaningful where the batch completes
  ///   it
  int[] run(Batch batch) {
    reserve(batch);
    metadata.clear();
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      int from = sequence.table().length();
      System.arraycopy(sequence.tokens(), from, tokens, metadata.rows(), batch.count(i));
      metadata.add(sequence.table(), batch.count(i));
    }
    transformer.forward(metadata, tokens, null);
    for (int i = 0; i < batch.size(); i++) {
      if (batch.completes(i)) {
        chosen[i] = choose(batch.sequence(i), metadata.firstRow(i + 1) - 1);
      }
    }
    return chosen;
  }

  private int choose(Sequence sequence, int lastRow) {
    row[0] = lastRow;
    Buffer logits = transformer.logits(row, 1);
    backend.read(logits, 0, scores, 0);
    return sampler.sample(
        scores,
        sequence.request().sampling(),
        sequence.tokens(),
        sequence.promptLength(),
        sequence.length());
  }

  private void reserve(Batch batch) {
    if (tokens.length < batch.tokens()) {
      tokens = Arrays.copyOf(tokens, Math.max(batch.tokens(), 2 * tokens.length));
    }
    if (chosen.length < batch.size()) {
      chosen = Arrays.copyOf(chosen, 2 * batch.size());
    }
  }
}
