package io.kvasir.kvcache;

/// What is left of the first [#tokens] positions of a pruned sequence: for each layer of a full
/// group and each kv head the rows that were kept, in ascending order of position, in private
/// blocks of the pool.
///
/// Kept rows fill *pages* of `blockTokens` rows: a page has the byte layout of one (layer, kv head)
/// of a block, key plane first. Row `i` of a head is in slot `i % blockTokens` of its page `i /
/// blockTokens`.
public interface PrunedTokens {

  /// Positions `0 .. tokens - 1` were pruned; a multiple of the block size. The table's blocks hold
  /// the rest.
  int tokens();

  /// Rows kept for a head; 0 for layers of window groups, which are not pruned.
  int count(int layer, int head);

  /// The position of kept row `i`.
  int position(int layer, int head, int i);

  /// The pool block that holds a page of a head.
  int block(int layer, int head, int page);

  /// Byte offset inside that block of the page's key plane.
  long keyOffset(int layer, int head, int page);

  /// Byte offset inside that block of the page's value plane; that of the key plane where values
  /// are part of it.
  long valueOffset(int layer, int head, int page);
}
