package io.kvasir.kvcache.eviction;

/// GreedyDual-Size-Frequency: keeps what is used often and dear to compute again.
///
/// A block's priority at its last use is `age + uses x cost`, where `age` is the priority of the
/// last victim, so that a block which is not used again falls behind in the end. All blocks have
/// one size. The cost of a block grows with its depth because attention reads all blocks before it:
/// `1 + depth / 128`, in units of a first block. (The attention over a context of `n` tokens costs
/// as much as all matrix products of a decoder layer at `n` of about six times its width; 128
/// blocks of 16 to 128 tokens are in the middle of what that gives for widths from 1,000 to 8,000.)
///
/// Source: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
/// Policy", HP Laboratories HPL-98-69R1, 1998.
public final class GdsfPolicy implements EvictionPolicy {
  private static final double ATTENTION_EQUALS_PRODUCTS_DEPTH = 128;
  private static final int MOST_USES = 100;

  private final PrefixView tree;
  private final LeafHeap leaves;
  private final NodeCounts uses;
  private double age;

  /// A policy for one cache.
  public GdsfPolicy(PrefixView tree) {
    this.tree = tree;
    leaves = new LeafHeap(tree.capacity());
    uses = new NodeCounts(tree.capacity(), MOST_USES);
  }

  @Override
  public void onInsert(int node) {
    uses.clear(node);
    uses.increment(node);
  }

  @Override
  public void onHit(int node) {
    uses.increment(node);
  }

  @Override
  public void onAcquire(int node) {
    leaves.remove(node);
  }

  @Override
  public void onRelease(int node) {
    double cost = 1 + tree.depth(node) / ATTENTION_EQUALS_PRODUCTS_DEPTH;
    leaves.remove(node);
    leaves.setKey(node, age + uses.get(node) * cost);
    if (tree.isEvictable(node)) {
      leaves.add(node);
    }
  }

  @Override
  public void onRemove(int node) {
    leaves.remove(node);
    int parent = tree.parent(node);
    if (parent != NONE && tree.isIdle(parent) && tree.childCount(parent) <= 1) {
      leaves.add(parent);
    }
  }

  @Override
  public int victim() {
    while (leaves.size() > 0) {
      int node = leaves.least();
      if (tree.isEvictable(node)) {
        age = Math.max(age, leaves.key(node));
        return node;
      }
      leaves.remove(node);
    }
    return NONE;
  }
}
