package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierStats;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;

/// A tier in a map that fails now and then: it forgets blocks, stops in the middle of a batch, and
/// leaves garbage behind the blocks that it did read.
final class MapTier implements Tier {
  private final ConcurrentMap<BlockKey, byte[]> blocks = new ConcurrentHashMap<>();
  private final AtomicInteger calls = new AtomicInteger();
  private final boolean persistent;
  private final int failEvery;

  /// @param failEvery every so many-th block asked for fails; 0 for none
  MapTier(boolean persistent, int failEvery) {
    this.persistent = persistent;
    this.failEvery = failEvery;
  }

  @Override
  public String name() {
    return "map";
  }

  @Override
  public boolean isPersistent() {
    return persistent;
  }

  @Override
  public boolean contains(BlockKey key) {
    return blocks.containsKey(key);
  }

  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    blocks.put(key, bytes.toArray(ValueLayout.JAVA_BYTE));
    return true;
  }

  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    for (int i = 0; i < keys.size(); i++) {
      byte[] held = blocks.get(keys.get(i));
      boolean fails = failEvery > 0 && calls.incrementAndGet() % failEvery == 0;
      if (held == null || fails) {
        blocks.remove(keys.get(i));
        into.get(i).fill((byte) 0x55);
        return i;
      }
      MemorySegment.copy(held, 0, into.get(i), ValueLayout.JAVA_BYTE, 0, held.length);
    }
    return keys.size();
  }

  @Override
  public TierStats stats() {
    return new TierStats(blocks.size(), 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  @Override
  public void verify() {}

  @Override
  public void close() {}
}
