package io.kvasir.engine;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierStats;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/// A tier in memory that breaks its contract, or takes its time, when it is told to.
final class FaultyTier implements Tier {
  private final ConcurrentMap<BlockKey, byte[]> blocks = new ConcurrentHashMap<>();
  final CountDownLatch loading = new CountDownLatch(1);
  volatile boolean lookupFails;
  volatile boolean statsFail;
  volatile @Nullable CountDownLatch gate;

  @Override
  public String name() {
    return "faulty";
  }

  @Override
  public boolean contains(BlockKey key) {
    if (lookupFails) {
      throw new IllegalStateException("the tier has a bug in its lookup");
    }
    return blocks.containsKey(key);
  }

  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    blocks.put(key, bytes.toArray(ValueLayout.JAVA_BYTE));
    return true;
  }

  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    loading.countDown();
    CountDownLatch closed = gate;
    try {
      if (closed != null) {
        closed.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 0;
    }
    for (int i = 0; i < keys.size(); i++) {
      byte[] held = blocks.get(keys.get(i));
      if (held == null) {
        return i;
      }
      MemorySegment.copy(held, 0, into.get(i), ValueLayout.JAVA_BYTE, 0, held.length);
    }
    return keys.size();
  }

  @Override
  public TierStats stats() {
    if (statsFail) {
      throw new IllegalStateException("the tier has a bug in its figures");
    }
    return new TierStats(blocks.size(), 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  @Override
  public void verify() {}

  @Override
  public void close() {}
}
