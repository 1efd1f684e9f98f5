package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// Kvasir's own policy, the default: learns from the traffic which blocks come back and when, and
/// is plain LRU wherever that is not better.
///
/// Three things work together, all on block numbers and hashes alone:
///
/// - [ReuseHazard] learns at which ages blocks of each number of uses are used again, from cached
///   blocks and from those that [BlockHistory] remembers, and ranks them by what keeping them
///   earns. In a cache far smaller than the traffic it keeps conversations that have shown a second
///   turn and only as many new ones as it can keep until they come back; the others pass through.
/// - [HazardCache] and [RecencyCache] simulate, without any contents, a cache that evicts by these
///   ranks and one that evicts by LRU, both with as many blocks as the real one.
/// - [PolicyDuel] compares what the two would have hit and chooses which the real cache follows.
///
/// Following means: a victim is a block that the simulated cache has given up already; LRU's are
/// the oldest of the real cache. So a change of the leader costs nothing at once.
///
/// All work per call is constant but for one recalculation of the ranks in some thousand uses.
/// Memory is about 60 bytes for each of at most three entries a cached block (real and simulated
/// caches may all differ) and six remembered ones.
public final class AdaptivePolicy implements EvictionPolicy {
  private static final int GHOSTS_PER_BLOCK = 6;
  private static final int LEAST_GHOSTS = 1 << 14;
  private static final int MOST_GHOSTS = 1 << 26;
  private static final int ENTRIES_PER_TICK = 2;
  private static final int ALL = 0;

  private final PrefixView tree;
  private final BlockHistory history;
  private final ReuseHazard hazard = new ReuseHazard();
  private final HazardCache learned;
  private final RecencyCache recent = new RecencyCache();
  private final PolicyDuel duel;

  /// The real cache's idle nodes in the order of their release.
  private final NodeLists idle;

  /// Those of them that the learned cache has given up, in that order.
  private final NodeLists outsiders;

  private int[] entryOf = new int[0];
  private int[] nodeOf = new int[0];

  /// The clock up to which an entry's unused time was counted.
  private int[] countedUntil = new int[0];

  private int cached;

  /// How many blocks the simulated caches may have.
  private int room;

  private boolean requestEnded;
  private int hand;

  /// A policy for one cache.
  public AdaptivePolicy(PrefixView tree) {
    this.tree = tree;
    long ghosts = Math.min(MOST_GHOSTS, (long) tree.capacity() * GHOSTS_PER_BLOCK);
    history = new BlockHistory((int) Math.max(LEAST_GHOSTS, ghosts));
    learned = new HazardCache(history, hazard);
    duel = new PolicyDuel(tree.capacity());
    idle = new NodeLists(1, tree.capacity());
    outsiders = new NodeLists(1, tree.capacity());
    room = tree.capacity();
  }

  PolicyDuel duel() {
    return duel;
  }

  @Override
  public void onInsert(int node) {
    settle();
    long hash = tree.contentHash(node);
    int entry = history.find(hash);
    if (entry == NONE || nodeOf[entry] != NONE) {
      entry = history.add(hash);
      reachEntry(entry);
    }
    reachNode(node);
    nodeOf[entry] = node;
    entryOf[node] = entry;
    history.retain(entry);
    cached++;
    use(node, entry, false);
  }

  @Override
  public void onHit(int node) {
    settle();
    use(node, entryOf[node], true);
  }

  private void use(int node, int entry, boolean realHit) {
    boolean inRecent = recent.contains(entry);
    boolean inLearned = learned.contains(entry);
    duel.count(inRecent, inLearned, realHit);
    if (history.isInUse(entry)) {
      return;
    }
    if (history.uses(entry) > 0) {
      countUnused(entry);
      hazard.reused(ReuseHazard.classOf(history.uses(entry)), history.age(entry));
    }
    history.beginUse(entry);
    if (!inRecent) {
      history.retain(entry);
    }
    if (!inLearned) {
      history.retain(entry);
    }
    recent.use(entry);
    int parent = tree.parent(node);
    learned.use(entry, parent < 0 ? NONE : entryOf[parent]);
  }

  @Override
  public void onAcquire(int node) {
    idle.remove(node);
    outsiders.remove(node);
  }

  @Override
  public void onRelease(int node) {
    requestEnded = true;
    idle.append(ALL, node);
    endUse(entryOf[node]);
    if (hazard.tick()) {
      learned.rerank();
    }
    learned.tick();
    countSomeUnused();
  }

  @Override
  public void onRemove(int node) {
    idle.remove(node);
    outsiders.remove(node);
    int entry = entryOf[node];
    endUse(entry);
    entryOf[node] = NONE;
    nodeOf[entry] = NONE;
    history.release(entry);
    cached--;
  }

  private void endUse(int entry) {
    if (history.isInUse(entry)) {
      history.endUse(entry);
      countedUntil[entry] = history.clock();
      recent.release(entry);
      learned.release(entry);
    }
  }

  @Override
  public int victim() {
    settle();
    room = cached - 1;
    shrink();
    if (duel.followsLearned()) {
      int node = outsiders.oldestEvictable(ALL, tree);
      // The real cache may be smaller than its capacity while others use its blocks.
      while (node == NONE && evictLearned()) {
        node = outsiders.oldestEvictable(ALL, tree);
      }
      if (node != NONE) {
        return node;
      }
    }
    return idle.oldestEvictable(ALL, tree);
  }

  /// Called before the first event of a request and when one has ended.
  private void settle() {
    if (requestEnded) {
      requestEnded = false;
      duel.settle();
      room = Math.max(room, cached);
      shrink();
    }
  }

  private void shrink() {
    boolean more = true;
    while (more && recent.size() > room) {
      int entry = recent.evict();
      more = entry != NONE;
      if (more) {
        history.release(entry);
      }
    }
    more = true;
    while (more && learned.size() > room) {
      more = evictLearned();
    }
  }

  private boolean evictLearned() {
    int entry = learned.evict();
    if (entry == NONE) {
      return false;
    }
    if (nodeOf[entry] != NONE) {
      outsiders.append(ALL, nodeOf[entry]);
    }
    history.release(entry);
    return true;
  }

  /// A hand goes round all entries, so that long unused ones are counted too.
  private void countSomeUnused() {
    for (int i = 0; i < ENTRIES_PER_TICK; i++) {
      hand = hand + 1 >= history.limit() ? 0 : hand + 1;
      if (history.isLive(hand) && !history.isInUse(hand)) {
        countUnused(hand);
      }
    }
  }

  private void countUnused(int entry) {
    int to = history.age(entry);
    int from = Math.max(0, to - (history.clock() - countedUntil[entry]));
    if (to > from) {
      hazard.unused(ReuseHazard.classOf(history.uses(entry)), from, to);
    }
    countedUntil[entry] = history.clock();
  }

  private void reachNode(int node) {
    int old = entryOf.length;
    if (node >= old) {
      entryOf = Arrays.copyOf(entryOf, Math.max(node + 1, old + (old >> 1)));
      Arrays.fill(entryOf, old, entryOf.length, NONE);
    }
  }

  private void reachEntry(int entry) {
    int old = nodeOf.length;
    if (entry >= old) {
      nodeOf = Arrays.copyOf(nodeOf, Math.max(entry + 1, old + (old >> 1)));
      countedUntil = Arrays.copyOf(countedUntil, nodeOf.length);
      Arrays.fill(nodeOf, old, nodeOf.length, NONE);
    }
    nodeOf[entry] = NONE;
  }
}
