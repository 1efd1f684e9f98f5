package io.kvasir.kvcache;

/// Why a prompt's next block behind what was found is not in the cache.
///
/// @param evictedNanosAgo for [Reason#EVICTED], when the block was forgotten; else 0
public record PrefixMiss(Reason reason, long evictedNanosAgo) {
  public static final PrefixMiss NONE = new PrefixMiss(Reason.NONE, 0);

  /// What kept the cache from serving more.
  public enum Reason {
    /// All whole blocks were found.
    NONE,
    /// The prompt is shorter than a block and nothing begins like it.
    SHORT,
    /// These tokens were never cached after this past, or so long ago that it is not remembered.
    NEW,
    /// They were cached and had to make room for others.
    EVICTED,
    /// They are cached under another salt.
    SALT,
    /// They are cached, but a window layer group has let go of blocks that a query would see.
    GROUP
  }
}
