package io.kvasir.kvcache.eviction;

/// What an [EvictionPolicy] may know of the prefix tree. Valid for nodes between their `onInsert`
/// and the end of their `onRemove`.
public interface PrefixView {

  /// Most nodes that may be idle at once: the cache's capacity in blocks divided by the blocks of a
  /// node. Node numbers may exceed it a little; arrays grow on demand.
  int capacity();

  /// The node whose tokens come before this one's, or -1 for a first block.
  int parent(int node);

  /// How many blocks come before this one in its prefix: 0 for a first block.
  int depth(int node);

  /// Nodes that continue this one.
  int childCount(int node);

  /// Whether no live sequence and no pin holds the node.
  boolean isIdle(int node);

  /// Whether the node may be forgotten: idle and without children.
  default boolean isEvictable(int node) {
    return isIdle(node) && childCount(node) == 0;
  }

  /// A hash of the node's tokens and all before them, the same each time the prefix is cached.
  long contentHash(int node);

  /// The salt of the node's prefix; empty where it has none.
  String salt(int node);

  /// The token at `index` of the node's block.
  int token(int node, int index);

  /// The cache's clock in nanoseconds; monotonic, of arbitrary origin. In a simulation, the trace's
  /// time.
  long nanoTime();
}
