package io.kvasir.kvcache.eviction;

/// Forgets the block that was released longest ago: least recently used.
///
/// A request releases its blocks from the leaf upwards, so within one request a deeper block is
/// older than a shallower one and chains are eaten from their ends. A block keeps its place while
/// its parent is used by other requests; it leaves the order while it is in use itself.
///
/// Source: the baseline of the literature; its competitive ratio is in Sleator and Tarjan,
/// "Amortized Efficiency of List Update and Paging Rules", CACM 28(2), 1985.
public final class LruPolicy implements EvictionPolicy {
  private static final int IDLE = 0;

  private final PrefixView tree;
  private final NodeLists lists;

  /// A policy for one cache.
  public LruPolicy(PrefixView tree) {
    this.tree = tree;
    lists = new NodeLists(1, tree.capacity());
  }

  @Override
  public void onInsert(int node) {}

  @Override
  public void onHit(int node) {}

  @Override
  public void onAcquire(int node) {
    lists.remove(node);
  }

  @Override
  public void onRelease(int node) {
    lists.append(IDLE, node);
  }

  @Override
  public void onRemove(int node) {
    lists.remove(node);
  }

  /// The oldest leaf. Parents are released after their children, so it is the first one looked at
  /// unless pins have kept a child longer than its parent.
  @Override
  public int victim() {
    return lists.oldestEvictable(IDLE, tree);
  }
}
