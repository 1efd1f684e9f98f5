package io.kvasir.kvcache;

/// Shape and size of a cache.
///
/// @param layout where rows lie in a block
/// @param blockCount blocks in the pool
public record KvCacheConfig(KvLayout layout, int blockCount) {

  public KvCacheConfig {
    if (blockCount < 1) {
      throw new IllegalArgumentException("a cache needs at least one block: " + blockCount);
    }
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

  public long capacityBytes() {
    return blockCount * layout.blockBytes();
  }
}
