package io.kvasir.kvcache.eviction;

/// Chooses which idle cached node of the prefix tree is forgotten first.
///
/// A node stands for one block of tokens with a certain past. The cache reports what happens to
/// nodes in the order it happens and asks for a victim where it needs room; the policy keeps
/// whatever order it likes over the idle ones. Calls for one request come in this order:
///
/// ```
/// lookup    onHit, onAcquire   each matched node, from the root downwards (onAcquire only if idle)
/// compute   onInsert           each newly computed full block, from the root downwards; in use
/// release   onRelease          each node that nobody uses any more, from the leaf upwards; idle
/// pressure  victim             then onRemove of that node
/// ```
///
/// Node numbers are small and reused after [#onRemove]; [PrefixView#contentHash] identifies the
/// same tokens with the same past across removals. A policy allocates nothing per call once its
/// arrays have grown. Called by the cache's owner thread only.
public interface EvictionPolicy {

  /// The answer of [#victim] where no node is idle.
  int NONE = -1;

  /// A block was computed and took its place in the tree; it is in use.
  void onInsert(int node);

  /// A lookup found the node.
  void onHit(int node);

  /// An idle node is in use again.
  void onAcquire(int node);

  /// Nobody uses the node any more. Its parent, where idle too, is reported after it.
  void onRelease(int node);

  /// The node leaves the tree, as a victim or because the cache was reset.
  void onRemove(int node);

  /// The node to forget next: one for which [PrefixView#isEvictable] holds, or [#NONE].
  int victim();

  /// Makes the policy for one cache.
  @FunctionalInterface
  interface Factory {
    EvictionPolicy create(PrefixView tree);
  }
}
