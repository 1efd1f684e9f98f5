package io.kvasir.kvcache;

import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import java.util.function.LongSupplier;

/// Shape, size and rules of a cache.
///
/// @param layout where rows lie in a block
/// @param blockCount blocks in the pool
/// @param cachedBlocks most blocks that stay cached when nobody holds them; more are evicted at
///   once. At most `blockCount`, which is the usual value
/// @param policy chooses which cached blocks go first
/// @param clock nanoseconds of arbitrary origin, never going back; ages pins and serves the policy
/// @param hasher finds prefixes; a hit is always confirmed by comparing tokens
public record KvCacheConfig(
    KvLayout layout,
    int blockCount,
    int cachedBlocks,
    EvictionPolicy.Factory policy,
    LongSupplier clock,
    BlockHasher hasher) {

  public KvCacheConfig {
    if (blockCount < 1) {
      throw new IllegalArgumentException("a cache needs at least one block: " + blockCount);
    }
    if (cachedBlocks < 0 || cachedBlocks > blockCount) {
      throw new IllegalArgumentException(
          "cached blocks must be from 0 to the %d of the pool: %d"
              .formatted(blockCount, cachedBlocks));
    }
  }

  /// A cache with the default policy, whose every block may stay cached.
  public KvCacheConfig(KvLayout layout, int blockCount) {
    this(
        layout,
        blockCount,
        blockCount,
        EvictionPolicies.named(EvictionPolicies.defaultName()),
        System::nanoTime,
        BlockHasher.DEFAULT);
  }

  /// A cache that fits `capacityBytes`.
  ///
  /// @throws IllegalArgumentException where not even one block fits
  public static KvCacheConfig ofBytes(KvLayout layout, long capacityBytes) {
    long blocks = Math.min(Integer.MAX_VALUE - 8, capacityBytes / layout.blockBytes());
    if (blocks < 1) {
      throw new IllegalArgumentException(
          "%d bytes hold no cache block of %d bytes; give the cache more memory"
              .formatted(capacityBytes, layout.blockBytes()));
    }
    return new KvCacheConfig(layout, (int) blocks);
  }

  public KvCacheConfig withCachedBlocks(int value) {
    return new KvCacheConfig(layout, blockCount, value, policy, clock, hasher);
  }

  public KvCacheConfig withPolicy(EvictionPolicy.Factory value) {
    return new KvCacheConfig(layout, blockCount, cachedBlocks, value, clock, hasher);
  }

  public KvCacheConfig withClock(LongSupplier value) {
    return new KvCacheConfig(layout, blockCount, cachedBlocks, policy, value, hasher);
  }

  public KvCacheConfig withHasher(BlockHasher value) {
    return new KvCacheConfig(layout, blockCount, cachedBlocks, policy, clock, value);
  }

  public long capacityBytes() {
    return blockCount * layout.blockBytes();
  }
}
