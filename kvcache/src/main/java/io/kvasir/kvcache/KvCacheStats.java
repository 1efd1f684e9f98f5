package io.kvasir.kvcache;

/// A snapshot of a cache. `heldBlocks + cachedBlocks + freeBlocks == capacityBlocks`.
///
/// @param heldBlocks blocks that live sequences or pins hold
/// @param cachedBlocks blocks that nobody holds and that still serve a hit
/// @param sharedBlocks held blocks that more than one table holds
/// @param tokens computed positions summed over the live tables
/// @param residentBytes memory the storage holds right now
/// @param counters what happened since the cache was made
public record KvCacheStats(
    int capacityBlocks,
    int heldBlocks,
    int cachedBlocks,
    int freeBlocks,
    int sharedBlocks,
    int tables,
    int pins,
    long tokens,
    long blockBytes,
    long residentBytes,
    Counters counters) {

  /// What happened since the cache was made.
  ///
  /// @param lookups prompts looked up
  /// @param lookupTokens their tokens
  /// @param hitTokens of those, tokens found
  /// @param copiedTokens of the tokens found, those copied from a block that matched in part
  /// @param insertedNodes full blocks of tokens that became findable
  /// @param mergedTwins blocks computed by two sequences at once and then shared
  /// @param evictedNodes prefixes' last blocks of tokens that were forgotten
  /// @param evictedBlocks block ids freed by eviction
  public record Counters(
      long lookups,
      long lookupTokens,
      long hitTokens,
      long copiedTokens,
      long insertedNodes,
      long mergedTwins,
      long evictedNodes,
      long evictedBlocks) {}

  public long heldBytes() {
    return heldBlocks * blockBytes;
  }

  public long cachedBytes() {
    return cachedBlocks * blockBytes;
  }
}
