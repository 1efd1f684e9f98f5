package io.kvasir.kvcache.eviction;

/// Window TinyLFU: a new block replaces an old one only if it was asked for more often of late.
///
/// New blocks enter a small window, least recently used first. What leaves the window is compared
/// with the block that the main part, a segmented LRU ([SlruPolicy]) with four fifths protected,
/// would give up: the one that a [FrequencySketch] has seen less often is forgotten, on a tie the
/// newcomer. The sketch counts content hashes, so it remembers blocks that are gone. A block whose
/// continuation was admitted is admitted with it, since neither serves a hit without the other.
///
/// The window is a hundredth of the cache as in the paper, without the hill climbing of later work.
///
/// Source: Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM
/// Transactions on Storage 13(4), 2017.
public final class WTinyLfuPolicy implements EvictionPolicy {
  private static final int WINDOW = 0;
  private static final int PROBATION = 1;
  private static final int PROTECTED = 2;
  private static final double WINDOW_SHARE = 0.01;
  private static final double PROTECTED_SHARE = 0.8;

  private final PrefixView tree;
  private final NodeLists lists;
  private final FrequencySketch sketch;
  private final NodeCounts segment;
  private final int windowLimit;
  private final int mainLimit;
  private final int protectedLimit;

  /// A policy for one cache.
  public WTinyLfuPolicy(PrefixView tree) {
    this.tree = tree;
    lists = new NodeLists(3, tree.capacity());
    sketch = new FrequencySketch(tree.capacity());
    segment = new NodeCounts(tree.capacity(), PROTECTED);
    windowLimit = Math.max(1, (int) (tree.capacity() * WINDOW_SHARE));
    mainLimit = tree.capacity() - windowLimit;
    protectedLimit = (int) (mainLimit * PROTECTED_SHARE);
  }

  @Override
  public void onInsert(int node) {
    segment.clear(node);
    sketch.increment(tree.contentHash(node));
  }

  @Override
  public void onHit(int node) {
    sketch.increment(tree.contentHash(node));
    if (segment.get(node) == PROBATION) {
      segment.increment(node);
    }
  }

  @Override
  public void onAcquire(int node) {
    lists.remove(node);
  }

  @Override
  public void onRelease(int node) {
    lists.append(segment.get(node), node);
    while (lists.size(PROTECTED) > protectedLimit) {
      int demoted = lists.oldest(PROTECTED);
      segment.decrement(demoted);
      lists.append(PROBATION, demoted);
    }
  }

  @Override
  public void onRemove(int node) {
    lists.remove(node);
  }

  @Override
  public int victim() {
    int main = mainVictim();
    while (lists.size(WINDOW) > windowLimit) {
      int candidate = lists.oldest(WINDOW);
      if (!tree.isEvictable(candidate)) {
        admit(candidate);
        continue;
      }
      boolean room = lists.size(PROBATION) + lists.size(PROTECTED) < mainLimit || main == NONE;
      if (!room && !isMoreFrequent(candidate, main)) {
        return candidate;
      }
      admit(candidate);
      if (!room) {
        return main;
      }
      main = mainVictim();
    }
    return main == NONE ? lists.oldestEvictable(WINDOW, tree) : main;
  }

  private void admit(int candidate) {
    segment.increment(candidate);
    lists.append(PROBATION, candidate);
  }

  private boolean isMoreFrequent(int candidate, int main) {
    return sketch.frequency(tree.contentHash(candidate)) > sketch.frequency(tree.contentHash(main));
  }

  private int mainVictim() {
    int node = lists.oldestEvictable(PROBATION, tree);
    return node == NONE ? lists.oldestEvictable(PROTECTED, tree) : node;
  }
}
