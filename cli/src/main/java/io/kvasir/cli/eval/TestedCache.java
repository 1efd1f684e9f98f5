package io.kvasir.cli.eval;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.model.Transformer;

/// One sequence in a cache of its own, run by a transformer that runs others too.
///
/// What was computed last stays in the transformer until another cache is advanced.
final class TestedCache implements AutoCloseable {
  private final Transformer transformer;
  private final KvCache cache;
  private final AttentionMetadata batch;
  private BlockTable table;

  /// @param capacity most positions
  TestedCache(
      Transformer transformer, Backend backend, KvLayout layout, KvProfile profile, int capacity) {
    this.transformer = transformer;
    long blocks = layout.blocksFor(capacity, transformer.maxRows());
    KvCacheConfig config = KvCacheConfig.ofBytes(layout, blocks * layout.blockBytes());
    cache = new KvCache(config, backend.storage(layout.blockBytes(), config.blockCount()));
    batch = new AttentionMetadata(layout, cache.storage(), profile);
    table = cache.open();
  }

  /// What the attention is told of; observers are set here.
  AttentionMetadata batch() {
    return batch;
  }

  /// Positions held.
  int length() {
    return table.length();
  }

  /// Bytes of the blocks held.
  long heldBytes() {
    return table.blockCount() * cache.layout().blockBytes();
  }

  /// Forgets the sequence.
  void restart() {
    cache.release(table);
    table = cache.open();
  }

  /// Computes the next positions, at most [Transformer#maxRows].
  void advance(int[] ids) {
    if (cache.reserve(table, ids.length)
        instanceof Reservation.Insufficient(int wanted, int free)) {
      throw new IllegalStateException(wanted + " blocks wanted, " + free + " free");
    }
    batch.clear();
    batch.add(table, ids.length);
    transformer.forward(batch, ids, null);
    cache.commit(table, ids.length);
  }

  @Override
  public void close() {
    cache.close();
  }
}
