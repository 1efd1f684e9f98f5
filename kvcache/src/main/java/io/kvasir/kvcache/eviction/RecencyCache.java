package io.kvasir.kvcache.eviction;

/// A simulated LRU cache of history entries: what [LruPolicy] would hold.
final class RecencyCache {
  static final int NONE = EvictionPolicy.NONE;

  private static final int IDLE = 0;
  private static final int USED = 1;

  private final NodeLists lists = new NodeLists(2, 64);

  int size() {
    return lists.size(IDLE) + lists.size(USED);
  }

  boolean contains(int entry) {
    return lists.listOf(entry) >= 0;
  }

  void use(int entry) {
    lists.append(USED, entry);
  }

  void release(int entry) {
    lists.append(IDLE, entry);
  }

  /// Lets the entry go whose last use ended first and returns it, or [#NONE] where all are in use.
  int evict() {
    int entry = lists.oldest(IDLE);
    if (entry != NONE) {
      lists.remove(entry);
    }
    return entry;
  }
}
