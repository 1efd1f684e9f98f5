package io.kvasir.kvcache.eviction;

/// Three FIFO queues: new blocks pass through a small one and stay only if they are used again
/// soon, or were forgotten not long ago.
///
/// A tenth of the cache is the small queue. Its oldest block moves to the main queue if it was hit
/// more than once, and is forgotten otherwise; its content hash is then remembered, and should the
/// block come back while it is, it enters the main queue at once. The main queue gives its oldest
/// block another round for each of up to three hits.
///
/// Blocks that cannot go, because they are in use or because others continue them, are passed over
/// to the end of their queue.
///
/// Source: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for Cache Eviction",
/// SOSP 2023.
public final class S3FifoPolicy implements EvictionPolicy {
  private static final int SMALL = 0;
  private static final int MAIN = 1;
  private static final double SMALL_SHARE = 0.1;
  private static final int MOST_HITS = 3;
  private static final int HITS_TO_STAY = 2;

  private final PrefixView tree;
  private final NodeLists queues;
  private final NodeCounts hits;
  private final GhostHashes ghosts;
  private final int smallLimit;

  /// A policy for one cache.
  public S3FifoPolicy(PrefixView tree) {
    this.tree = tree;
    queues = new NodeLists(2, tree.capacity());
    hits = new NodeCounts(tree.capacity(), MOST_HITS);
    smallLimit = (int) (tree.capacity() * SMALL_SHARE);
    ghosts = new GhostHashes(Math.max(1, tree.capacity() - smallLimit));
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
  public void onAcquire(int node) {}

  @Override
  public void onRelease(int node) {
    if (queues.listOf(node) < 0) {
      queues.append(ghosts.remove(tree.contentHash(node)) ? MAIN : SMALL, node);
    }
  }

  @Override
  public void onRemove(int node) {
    if (queues.listOf(node) == SMALL) {
      ghosts.add(tree.contentHash(node));
    }
    queues.remove(node);
  }

  @Override
  public int victim() {
    // Every evictable block has lost its hits after so many steps.
    long steps = (MOST_HITS + 2L) * (queues.size(SMALL) + queues.size(MAIN));
    for (long i = 0; i < steps; i++) {
      boolean fromSmall = queues.size(SMALL) > smallLimit || queues.size(MAIN) == 0;
      int node = fromSmall ? queues.oldest(SMALL) : queues.oldest(MAIN);
      if (fromSmall && hits.get(node) >= HITS_TO_STAY) {
        hits.clear(node);
        queues.append(MAIN, node);
      } else if (!fromSmall && hits.get(node) > 0) {
        hits.decrement(node);
        queues.append(MAIN, node);
      } else if (!tree.isEvictable(node)) {
        queues.append(fromSmall ? SMALL : MAIN, node);
      } else {
        return node;
      }
    }
    int node = queues.oldestEvictable(SMALL, tree);
    return node == NONE ? queues.oldestEvictable(MAIN, tree) : node;
  }
}
