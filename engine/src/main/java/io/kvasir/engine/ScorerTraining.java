package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionObserver;
import io.kvasir.compute.Backend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.kvcache.prune.PruneScope;
import io.kvasir.kvcache.prune.RidgeFit;
import io.kvasir.model.Transformer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/// Trains the [LinearScorer] of a model: reads texts twice as kvzip does and fits, for each layer,
/// the logarithm of each row's score to the hidden state that its key was computed from (KVzap,
/// arXiv 2601.07891).
///
/// Some ten thousand tokens like those that will be cached are enough for a small model; time is
/// mostly `layers * tokens * width^2` for the fit.
public final class ScorerTraining {
  private static final int BLOCK_TOKENS = 64;
  private static final double STRENGTH = 1e-4;

  /// Scores below this are alike.
  private static final float LEAST_SCORE = 1e-6f;

  private final Transformer transformer;
  private final Backend backend;
  private final KvLayout layout;
  private final List<PrunedLayer> layers;
  private final List<RidgeFit> fits = new ArrayList<>();
  private float[][] hidden = new float[0][];

  private ScorerTraining(Transformer transformer, Backend backend) {
    this.transformer = transformer;
    this.backend = backend;
    this.layout = transformer.config().kvLayout(BLOCK_TOKENS, KvRecipe.of(KvFormat.F32));
    this.layers = PrunedLayer.of(transformer.config(), layout);
    int heads = layers.getFirst().kv().kvHeads();
    for (PrunedLayer layer : layers) {
      if (layer.latent() || layer.shared() || layer.kv().kvHeads() != heads) {
        throw new IllegalArgumentException(
            "kvzap cannot be trained for a model whose layers differ in heads, share rows or keep latent ones");
      }
      fits.add(new RidgeFit(transformer.config().width(), heads));
    }
  }

  /// Trains a scorer.
  ///
  /// @param texts tokens, each so short that [RepeatPass#LEAST_ROOM] tokens more fit the context
  /// @param read is told how many texts were read, after each
  /// @throws IllegalArgumentException where the model is none that can be pruned so
  public static LinearScorer train(
      Transformer transformer, Backend backend, List<int[]> texts, IntConsumer read) {
    ScorerTraining training = new ScorerTraining(transformer, backend);
    for (int i = 0; i < texts.size(); i++) {
      training.read(texts.get(i));
      read.accept(i + 1);
    }
    float[][][] weights = new float[training.fits.size()][][];
    for (int layer = 0; layer < weights.length; layer++) {
      weights[layer] = training.fits.get(layer).solve(STRENGTH);
    }
    return new LinearScorer(transformer.config().width(), weights);
  }

  private void read(int[] tokens) {
    int most = tokens.length + RepeatPass.CHUNK + 2 * BLOCK_TOKENS;
    long blocks = layout.blocksFor(most, transformer.maxRows()) + 2L * layout.groups().size();
    KvCacheConfig config = KvCacheConfig.ofBytes(layout, blocks * layout.blockBytes());
    try (KvCache cache =
        new KvCache(config, backend.storage(layout.blockBytes(), config.blockCount()))) {
      AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
      BlockTable table = cache.open();
      compute(cache, batch, table, tokens);
      RepeatPass repeat =
          new RepeatPass(
              cache, transformer, backend, batch, layers, transformer.config().contextLength());
      RowScores scores = new RowScores(layers.size());
      Reservation lack = repeat.score(table, tokens, scores);
      if (lack != null) {
        throw new IllegalStateException("no room to read a text twice: " + lack);
      }
      fit(tokens.length, scores);
    }
  }

  /// Computes the text's rows and keeps the hidden states.
  private void compute(KvCache cache, AttentionMetadata batch, BlockTable table, int[] tokens) {
    int width = transformer.config().width();
    hidden = new float[layers.size()][tokens.length * width];
    AttentionObserver observer =
        (seen, spec, in, q, k, v) -> {
          for (int row = 0; row < seen.rows(); row++) {
            backend.read(in, row, hidden[spec.cacheLayer()], seen.positions()[row] * width);
          }
        };
    batch.observe(observer);
    for (int from = 0; from < tokens.length; from += transformer.maxRows()) {
      int count = Math.min(transformer.maxRows(), tokens.length - from);
      if (cache.reserve(table, count) instanceof Reservation.Insufficient lack) {
        throw new IllegalStateException("no room to read a text: " + lack);
      }
      batch.clear();
      batch.add(table, count);
      transformer.forward(batch, Arrays.copyOfRange(tokens, from, from + count), null);
      cache.commit(table, count);
    }
    batch.observe(null);
  }

  private void fit(int length, RowScores scores) {
    int width = transformer.config().width();
    float[] targets = new float[layers.getFirst().kv().kvHeads()];
    for (int layer = 0; layer < layers.size(); layer++) {
      boolean prunable = layers.get(layer).prunable();
      for (int position = PruneScope.SINKS; prunable && position < length; position++) {
        for (int head = 0; head < targets.length; head++) {
          float score = Math.max(LEAST_SCORE, scores.get(layer, head, position));
          targets[head] = (float) Math.log(score);
        }
        fits.get(layer).add(hidden[layer], position * width, targets);
      }
    }
  }
}
