package io.kvasir.acceptance;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Runs token ids through a model step by step and keeps all logits and hidden rows.
final class Forward implements AutoCloseable {
  private final Model model;
  private final Backend backend;
  private final KvCache cache;
  private final AttentionMetadata batch;
  private BlockTable table;
  private int @Nullable [] shared;

  /// `[tokens, vocabulary]`.
  final float[][] logits;

  /// `[layers + 1, tokens, width]`.
  final float[][][] hidden;

  Forward(Model model, Backend backend, int blockTokens, KvFormat format, int tokens) {
    this(model, backend, blockTokens, KvRecipe.of(format), tokens);
  }

  Forward(Model model, Backend backend, int blockTokens, KvRecipe recipe, int tokens) {
    this.model = model;
    this.backend = backend;
    KvLayout layout = model.config().kvLayout(blockTokens, recipe);
    KvCacheConfig config = new KvCacheConfig(layout, 3 * (int) layout.blocksFor(tokens, tokens));
    cache = new KvCache(config, backend.storage(layout.blockBytes(), config.blockCount()));
    batch = new AttentionMetadata(layout, cache.storage());
    table = cache.open();
    logits = new float[tokens][];
    hidden = new float[model.config().layers().size() + 1][tokens][];
  }

  /// Ends the sequence and begins another that holds what the cache knows of `prompt`.
  ///
  /// @return tokens that need not be computed
  int share(int[] prompt) {
    cache.release(table);
    table = cache.lookup("", prompt);
    shared = prompt;
    cache.verify();
    return table.length();
  }

  /// Computes what the sequence lacks of these tokens, in chunks.
  void run(int[] ids, int chunk) {
    for (int from = table.length(); from < ids.length; from += chunk) {
      step(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + chunk)));
    }
  }

  void step(int[] ids) {
    int start = table.length();
    if (!(cache.reserve(table, ids.length) instanceof Reservation.Granted)) {
      throw new IllegalStateException("no room for " + ids.length + " tokens after " + start);
    }
    batch.clear();
    batch.add(table, ids.length);
    Transformer transformer = model.transformer();
    transformer.forward(
        batch,
        ids,
        (index, rows, count) -> {
          for (int r = 0; r < count; r++) {
            hidden[index][start + r] = read(rows, r);
          }
        });
    for (int r = 0; r < ids.length; r++) {
      logits[start + r] = read(transformer.logits(new int[] {r}, 1), 0);
    }
    if (shared == null) {
      cache.commit(table, ids.length);
    } else {
      cache.commit(table, shared, ids.length);
    }
    cache.verify();
  }

  int length() {
    return table.length();
  }

  /// The likeliest token after the last one computed, the lowest of equal ones.
  int greedy() {
    float[] last = logits[table.length() - 1];
    int best = 0;
    for (int i = 1; i < last.length; i++) {
      best = last[i] > last[best] ? i : best;
    }
    return best;
  }

  private float[] read(Buffer buffer, int row) {
    float[] values = new float[buffer.columns()];
    backend.read(buffer, row, values, 0);
    return values;
  }

  @Override
  public void close() {
    cache.release(table);
    cache.verify();
    cache.close();
  }
}
