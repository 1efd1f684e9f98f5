package io.kvasir.kvcache;

/// A snapshot of a cache: `usedBlocks + freeBlocks == capacityBlocks`.
///
/// @param sharedBlocks used blocks that more than one table holds
/// @param tokens computed positions summed over the live tables
/// @param residentBytes memory the storage holds right now
public record KvCacheStats(
    int capacityBlocks,
    int usedBlocks,
    int freeBlocks,
    int sharedBlocks,
    int tables,
    long tokens,
    long blockBytes,
    long residentBytes) {

  public long usedBytes() {
    return usedBlocks * blockBytes;
  }
}
