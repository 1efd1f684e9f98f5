package io.kvasir.kvcache.eviction;

/// Segmented LRU: blocks that were hit since they were cached are forgotten after those that were
/// not.
///
/// New blocks are on probation. One that is hit moves to the protected segment, which holds at most
/// half of the cache; the oldest protected block goes back on probation as its newest. Victims are
/// the oldest blocks on probation. A hit block's prefix is hit with it, so parents are never less
/// protected than their children.
///
/// Source: Karedla, Love and Wherry, "Caching Strategies to Improve Disk System Performance", IEEE
/// Computer 27(3), 1994.
public final class SlruPolicy implements EvictionPolicy {
  private static final int PROBATION = 0;
  private static final int PROTECTED = 1;
  private static final double PROTECTED_SHARE = 0.5;

  private final PrefixView tree;
  private final NodeLists lists;
  private final NodeCounts hits;
  private final int protectedLimit;

  /// A policy for one cache.
  public SlruPolicy(PrefixView tree) {
    this.tree = tree;
    lists = new NodeLists(2, tree.capacity());
    hits = new NodeCounts(tree.capacity(), 1);
    protectedLimit = (int) (tree.capacity() * PROTECTED_SHARE);
  }

  @Override
  public void onInsert(int node) {
    hits.clear(node);
  }

  @Override
  public void onHit(int node) {
    hits.increment(node);
  }

  @Override
  public void onAcquire(int node) {
    lists.remove(node);
  }

  @Override
  public void onRelease(int node) {
    if (hits.get(node) == 0) {
      lists.append(PROBATION, node);
      return;
    }
    lists.append(PROTECTED, node);
    while (lists.size(PROTECTED) > protectedLimit) {
      lists.append(PROBATION, lists.oldest(PROTECTED));
    }
  }

  @Override
  public void onRemove(int node) {
    lists.remove(node);
  }

  @Override
  public int victim() {
    int node = lists.oldestEvictable(PROBATION, tree);
    return node == NONE ? lists.oldestEvictable(PROTECTED, tree) : node;
  }
}
