package io.kvasir.sim;

import io.kvasir.kvcache.BlockHasher;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;

/// The production cache over a storage without bytes, spoken to in blocks of a trace.
///
/// A block of the trace is one block of the cache whose first token is the block's number, so
/// different blocks differ in their first token and never match in part. Behind the prompt stands
/// one more token, because the cache never matches a prompt's last one.
final class SimulatedCache implements AutoCloseable {
  private static final int BLOCK_TOKENS = KvLayout.TILE_TOKENS;
  private static final KvLayout LAYOUT =
      KvLayout.of(List.of(new LayerKv(1, 16, 16, 0, KvFormat.F16, KvFormat.F16)), BLOCK_TOKENS);

  private final Trace trace;
  private final KvCache cache;

  private final ObservedPolicy policy;

  /// @param size how many blocks there are and stay
  /// @param clock the trace's time in nanoseconds
  /// @param onForgotten gets the number of each block that the cache forgets
  SimulatedCache(
      Trace trace,
      Size size,
      EvictionPolicy.Factory factory,
      LongSupplier clock,
      IntConsumer onForgotten) {
    this.trace = trace;
    ObservedPolicy[] made = new ObservedPolicy[1];
    KvCacheConfig config =
        new KvCacheConfig(
            LAYOUT,
            size.poolBlocks,
            size.cachedBlocks,
            tree -> made[0] = new ObservedPolicy(factory.create(tree), tree, onForgotten),
            clock,
            BlockHasher.DEFAULT);
    cache = new KvCache(config, new NullStorage(LAYOUT.blockBytes(), size.poolBlocks));
    policy = made[0];
  }

  /// @param poolBlocks blocks that there are
  /// @param cachedBlocks most blocks that stay when no request holds them
  record Size(int poolBlocks, int cachedBlocks) {}

  /// Begins a request: its cached blocks are held from now on.
  ///
  /// @return its table, whose [#hits] are the prompt's leading blocks that were cached
  BlockTable open(int request) {
    int prompt = trace.promptBlocks(request);
    int[] tokens = new int[prompt * BLOCK_TOKENS + 1];
    for (int i = 0; i < prompt; i++) {
      tokens[i * BLOCK_TOKENS] = trace.block(request, i);
    }
    return cache.lookup("", tokens);
  }

  static int hits(BlockTable table) {
    return table.length() / BLOCK_TOKENS;
  }

  /// Makes room for all blocks of the request; false where the pool is full, and nothing changed.
  boolean reserve(BlockTable table, int request) {
    int missing = trace.blockCount(request) * BLOCK_TOKENS - table.length();
    return cache.reserve(table, missing) instanceof Reservation.Granted;
  }

  /// The request's first `blocks` blocks are computed and can be found.
  void commit(BlockTable table, int request, int blocks) {
    int[] tokens = new int[blocks * BLOCK_TOKENS];
    for (int i = 0; i < blocks; i++) {
      tokens[i * BLOCK_TOKENS] = trace.block(request, i);
    }
    cache.commit(table, tokens, tokens.length - table.length());
  }

  /// Ends a request.
  void release(BlockTable table) {
    cache.release(table);
  }

  ObservedPolicy policy() {
    return policy;
  }

  /// Proves the cache's invariants.
  void verify() {
    cache.verify();
  }

  @Override
  public void close() {
    cache.close();
  }
}
