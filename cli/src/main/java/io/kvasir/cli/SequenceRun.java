package io.kvasir.cli;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.engine.KeyProfiles;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.util.Arrays;

/// One sequence run by hand, pass by pass, so that everything that is computed can be seen.
///
/// With the cache off each step starts over and computes all earlier positions again. Used by one
/// thread.
final class SequenceRun implements AutoCloseable {
  /// Hears of each row: the stream after the embedding and each layer, and the scores.
  interface Listener {
    /// @param hidden `[rows, width]` for positions `position ..`, valid during the call
    void hidden(int index, Buffer hidden, int position, int rows);

    /// @param logits the scores after `position` are in row `row`
    void logits(Buffer logits, int row, int position);
  }

  private final Transformer transformer;
  private final KvCache cache;
  private final AttentionMetadata batch;
  private final boolean keep;
  private BlockTable table;
  private int[] ids = {};

  /// @param capacity most positions
  /// @param profiles where means come from that some formats subtract from keys
  /// @param keep whether keys and values are kept between steps
  SequenceRun(
      Model model,
      Backend backend,
      KvLayout layout,
      KeyProfiles profiles,
      int capacity,
      boolean keep) {
    KvProfile profile = profiles.of(model, backend, layout);
    this.transformer = model.transformer();
    this.keep = keep;
    long blocks = layout.blocksFor(capacity, transformer.maxRows());
    KvCacheConfig config = KvCacheConfig.ofBytes(layout, blocks * layout.blockBytes());
    cache = new KvCache(config, backend.storage(layout.blockBytes(), config.blockCount()));
    batch = new AttentionMetadata(layout, cache.storage(), profile);
    table = cache.open();
  }

  /// Computes the positions of `next`, at most [Transformer#maxRows] in one pass, and tells of
  /// these only.
  void step(int[] next, Listener listener) {
    int told = ids.length;
    ids = Arrays.copyOf(ids, told + next.length);
    System.arraycopy(next, 0, ids, told, next.length);
    if (!keep) {
      cache.release(table);
      table = cache.open();
    }
    while (table.length() < ids.length) {
      pass(told, listener);
    }
  }

  private void pass(int told, Listener listener) {
    int start = table.length();
    int rows = Math.min(transformer.maxRows(), ids.length - start);
    if (cache.reserve(table, rows) instanceof Reservation.Insufficient(int wanted, int free)) {
      throw new IllegalStateException(wanted + " blocks wanted, " + free + " free");
    }
    batch.clear();
    batch.add(table, rows);
    transformer.forward(
        batch,
        Arrays.copyOfRange(ids, start, start + rows),
        (index, hidden, count) -> {
          if (start + count > told) {
            listener.hidden(index, hidden, start, count);
          }
        });
    int first = Math.max(0, told - start);
    for (int row = first; row < rows; row += transformer.maxLogitRows()) {
      int count = Math.min(transformer.maxLogitRows(), rows - row);
      int[] wanted = new int[count];
      for (int i = 0; i < count; i++) {
        wanted[i] = row + i;
      }
      Buffer logits = transformer.logits(wanted, count);
      for (int i = 0; i < count; i++) {
        listener.logits(logits, i, start + row + i);
      }
    }
    cache.commit(table, rows);
  }

  @Override
  public void close() {
    cache.close();
  }
}
