package io.kvasir.kvcache;

import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.tier.Offloader;
import org.jspecify.annotations.Nullable;

/// The full blocks of the cache: counts who holds them, keeps those that nobody holds as long as
/// there is room, and makes room by the eviction policy.
///
/// A node of the tree is *in use* while a table or a pin ends at it or below it, and *idle*
/// otherwise. Idle nodes without children are what the policy chooses from, so what stays cached is
/// always a set of whole prefixes. Of a window group a node in use may hold a loose block (see
/// [WindowBlocks]); the one that has been loose longest goes before a victim that was used later.
///
/// Owned by one [KvCache], which keeps the tables.
final class PrefixCache {
  private static final int NONE = PrefixTree.NONE;

  private final KvLayout layout;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final WindowBlocks windows;
  private final EvictionPolicy policy;
  private final boolean[] isWindow;

  /// One past the index of the last block that a group keeps of any sequence.
  private final int[] limitBlocks;

  private final int fullGroups;
  private final int windowGroups;
  private final @Nullable NodeOffload offload;
  private final PrefixMisses misses;
  private long time;
  private boolean resetting;
  private int idleNodes;
  private int idleBlocks;
  private long insertedNodes;
  private long mergedTwins;
  private long evictedNodes;
  private long evictedBlocks;

  /// @param offloader sends what becomes idle and what is evicted to lower tiers, or null
  PrefixCache(KvCacheConfig config, @Nullable Offloader offloader) {
    this.layout = config.layout();
    this.pool = new BlockPool(config.blockCount());
    int groups = layout.groups().size();
    this.isWindow = new boolean[groups];
    this.limitBlocks = new int[groups];
    int full = 0;
    int window = 0;
    boolean[] goesFirst = new boolean[groups];
    for (LayerGroup group : layout.groups()) {
      isWindow[group.index()] = group.isWindow();
      limitBlocks[group.index()] =
          group.isBounded()
              ? group.endBlock(group.limit(), layout.blockTokens())
              : LayerGroup.UNLIMITED;
      full += group.isFull() ? 1 : 0;
      window += group.isWindow() ? 1 : 0;
      goesFirst[group.index()] = group.endsWithBlocks(layout.blockTokens());
    }
    this.fullGroups = full;
    this.windowGroups = window;
    this.windows = new WindowBlocks(window == 0 ? 0 : config.blockCount(), goesFirst);
    this.tree =
        new PrefixTree(
            layout.blockTokens(),
            groups,
            Math.min(config.blockCount(), config.cachedBlocks()) / layout.groupsOfCodes(),
            config.hasher(),
            config.clock());
    this.policy = config.policy().create(tree);
    this.misses = new PrefixMisses(tree, layout.blockTokens());
    this.offload =
        offloader == null ? null : new NodeOffload(tree, this, offloader, layout.blockTokens());
  }

  PrefixTree tree() {
    return tree;
  }

  BlockPool pool() {
    return pool;
  }

  WindowBlocks windows() {
    return windows;
  }

  boolean isWindow(int group) {
    return isWindow[group];
  }

  int groups() {
    return isWindow.length;
  }

  boolean hasWindows() {
    return windowGroups > 0;
  }

  /// Whether the group keeps the block at `index` of a sequence at all.
  boolean keeps(int group, int index) {
    return index < limitBlocks[group];
  }

  /// Groups that keep the block at `index`.
  int groupsAt(int index) {
    return windowGroups + steadyGroups(index);
  }

  /// Groups that keep the block at `index` as long as its node is there: all but window groups.
  int steadyGroups(int index) {
    int steady = fullGroups;
    if (fullGroups + windowGroups < limitBlocks.length) {
      for (int group = 0; group < limitBlocks.length; group++) {
        boolean bounded = limitBlocks[group] < LayerGroup.UNLIMITED;
        steady += bounded && keeps(group, index) ? 1 : 0;
      }
    }
    return steady;
  }

  /// Blocks that nobody holds and that still serve a hit.
  int cachedBlocks() {
    return idleBlocks + windows.looseCount();
  }

  int idleNodes() {
    return idleNodes;
  }

  int idleBlocks() {
    return idleBlocks;
  }

  KvCacheStats.Counters counters(long lookups, long tokens, long hits, long copied) {
    return new KvCacheStats.Counters(
        lookups, tokens, hits, copied, insertedNodes, mergedTwins, evictedNodes, evictedBlocks);
  }

  @Nullable NodeOffload offload() {
    return offload;
  }

  PrefixMisses misses() {
    return misses;
  }

  EvictionPolicy policy() {
    return policy;
  }

  /// Counts a hit and tells the policy of it.
  void hit(int node) {
    tree.countHit(node);
    policy.onHit(node);
  }

  /// One more holder ends at the node.
  void pin(int node) {
    int at = node;
    while (tree.retain(at) && !tree.isRoot(at)) {
      acquired(at);
      at = tree.above(at);
    }
  }

  private void acquired(int node) {
    idleNodes--;
    idleBlocks -= steadyGroups(tree.depth(node));
    policy.onAcquire(node);
    for (int group = 0; group < isWindow.length; group++) {
      int block = isWindow[group] ? tree.block(node, group) : NONE;
      if (block != NONE && !windows.isLoose(block)) {
        idleBlocks--;
        windows.loosen(block, ++time);
      }
    }
  }

  /// One holder less ends at the node. Window blocks that the holder had are settled afterwards.
  void unpin(int node) {
    int at = node;
    while (true) {
      boolean root = tree.isRoot(at);
      if (!tree.drop(at) || root) {
        return;
      }
      int above = tree.above(at);
      if (tree.isIndexed(at)) {
        tree.setLastUse(at, ++time);
        idleNodes++;
        idleBlocks += steadyGroups(tree.depth(at));
        policy.onRelease(at);
        if (offload != null) {
          offload.idle(at);
        }
      } else {
        freeBlocks(at);
        tree.remove(at);
      }
      at = above;
    }
  }

  /// A table lets go of a window block of a node: out of its window, or with its end.
  void dropWindowBlock(int block) {
    if (!windows.drop(block)) {
      return;
    }
    int node = windows.nodeOf(block);
    if (!tree.isIndexed(node)) {
      tree.setBlock(node, windows.groupOf(block), NONE);
      windows.forget(block);
      pool.free(block);
    } else if (tree.isIdle(node)) {
      idleBlocks++;
    } else {
      windows.loosen(block, ++time);
    }
  }

  /// Moves the just filled block at `index` of the table into the tree; where the tree already has
  /// the same tokens after the same past, the table gets that node's blocks and its own are freed.
  ///
  /// @param sequence the sequence's tokens from position 0; unused where the table is private
  void seal(BlockTable table, int index, int[] sequence) {
    int tip = table.tip();
    int from = index * layout.blockTokens();
    boolean hidden = tree.isHidden(tip) || from + layout.blockTokens() > table.sharedTo();
    int twin = hidden ? NONE : tree.child(tip, sequence, from);
    if (twin == NONE) {
      int node = tree.insert(tip, sequence, from, hidden);
      for (int group = 0; group < isWindow.length; group++) {
        // A promoted sequence has nothing of what its windows have passed.
        if (index >= table.firstBlock(group) && keeps(group, index)) {
          int block = table.block(group, index);
          tree.setBlock(node, group, block);
          if (isWindow[group]) {
            windows.adopt(block, node, group);
          }
        }
      }
      // The table's pin on the old tip becomes the new node's pin on its parent.
      tree.retain(node);
      table.setTip(node);
      if (tree.isIndexed(node)) {
        insertedNodes++;
        policy.onInsert(node);
        if (offload != null) {
          offload.inserted(node);
        }
      }
      return;
    }
    pin(twin);
    unpin(tip);
    table.setTip(twin);
    mergedTwins++;
    for (int group = 0; group < isWindow.length; group++) {
      repoint(table, index, group, twin);
    }
  }

  private void repoint(BlockTable table, int index, int group, int twin) {
    if (index < table.firstBlock(group) || !keeps(group, index)) {
      return;
    }
    int own = table.block(group, index);
    int theirs = tree.block(twin, group);
    if (theirs == NONE) {
      tree.setBlock(twin, group, own);
      windows.adopt(own, twin, group);
      return;
    }
    if (isWindow[group]) {
      windows.hold(theirs);
    }
    table.replace(group, index, theirs);
    pool.free(own);
  }

  /// Holds a node and its window blocks, so that nothing of it can be evicted.
  void hold(int node) {
    pin(node);
    for (int group = 0; group < isWindow.length; group++) {
      if (isWindow[group] && tree.block(node, group) != NONE) {
        windows.hold(tree.block(node, group));
      }
    }
  }

  /// Ends a [#hold].
  void letGo(int node) {
    int[] held = new int[isWindow.length];
    for (int group = 0; group < held.length; group++) {
      held[group] = isWindow[group] ? tree.block(node, group) : NONE;
    }
    // A hidden node is gone with its last pin, a findable one decides what its blocks are then.
    boolean hidden = tree.isHidden(node);
    if (!hidden) {
      unpin(node);
    }
    for (int block : held) {
      if (block != NONE) {
        dropWindowBlock(block);
      }
    }
    if (hidden) {
      unpin(node);
    }
  }

  /// Whether one [#hold] is all that keeps the node in use and nothing hangs below it.
  boolean isHeldOnce(int node) {
    boolean once = tree.pins(node) == 1 && tree.childCount(node) == 0;
    for (int group = 0; group < isWindow.length; group++) {
      once &= !isWindow[group] || windows.holders(tree.block(node, group)) == 1;
    }
    return once;
  }

  /// Removes a node that [#isHeldOnce]; its blocks are the caller's.
  void dissolve(int node) {
    for (int group = 0; group < isWindow.length; group++) {
      if (isWindow[group]) {
        int block = tree.block(node, group);
        windows.drop(block);
        windows.forget(block);
      }
      tree.setBlock(node, group, NONE);
    }
    if (tree.isIndexed(node)) {
      policy.onRemove(node);
    }
    int above = tree.above(node);
    pin(above);
    tree.drop(node);
    unpin(above);
    tree.remove(node);
    unpin(above);
  }

  /// Blocks that are free or can be made so without breaking a pin.
  int availableBlocks() {
    return pool.freeCount() + cachedBlocks();
  }

  /// Evicts until `wanted` blocks are free.
  ///
  /// @return false, with nothing changed, where they cannot be
  boolean makeRoom(int wanted) {
    if (wanted > availableBlocks()) {
      return false;
    }
    while (pool.freeCount() < wanted) {
      evictOne();
    }
    return true;
  }

  /// Evicts until at most `limit` blocks are cached.
  void shrinkTo(int limit) {
    while (cachedBlocks() > limit) {
      evictOne();
    }
  }

  private void evictOne() {
    int loose = windows.oldestLoose();
    int victim = idleNodes > 0 ? policy.victim() : NONE;
    if (loose != NONE && (victim == NONE || windows.looseSince(loose) <= tree.lastUse(victim))) {
      evictLoose(loose);
      return;
    }
    if (victim == NONE || !tree.isEvictable(victim)) {
      throw new IllegalStateException(
          "the policy names node %d as victim among %d idle ones".formatted(victim, idleNodes));
    }
    evictNode(victim);
  }

  private void evictLoose(int block) {
    int node = windows.nodeOf(block);
    tree.setBlock(node, windows.groupOf(block), NONE);
    windows.forget(block);
    pool.free(block);
    evictedBlocks++;
    evictIfEmpty(node);
  }

  /// A node without any block is of no use once nothing hangs below it.
  private void evictIfEmpty(int node) {
    int at = node;
    while (fullGroups == 0 && tree.isIndexed(at) && tree.isEvictable(at) && isEmpty(at)) {
      int above = tree.above(at);
      forget(at);
      at = above;
    }
  }

  private boolean isEmpty(int node) {
    for (int group = 0; group < isWindow.length; group++) {
      if (tree.block(node, group) != NONE) {
        return false;
      }
    }
    return true;
  }

  private void evictNode(int node) {
    int above = tree.above(node);
    forget(node);
    evictIfEmpty(above);
  }

  private void forget(int node) {
    if (offload != null && !resetting) {
      offload.leaving(node);
    }
    policy.onRemove(node);
    misses.forgotten(node);
    idleNodes--;
    evictedNodes++;
    int freed = freeBlocks(node);
    evictedBlocks += freed;
    tree.remove(node);
  }

  /// Frees the blocks of an idle or hidden node. @return how many
  private int freeBlocks(int node) {
    int freed = 0;
    boolean counted = tree.isIndexed(node);
    for (int group = 0; group < isWindow.length; group++) {
      int block = tree.block(node, group);
      if (block == NONE) {
        continue;
      }
      if (counted && !(isWindow[group] && windows.isLoose(block))) {
        idleBlocks--;
      }
      if (isWindow[group]) {
        windows.forget(block);
      }
      pool.free(block);
      freed++;
    }
    return freed;
  }

  /// Forgets everything that is idle and makes what is in use findable by nobody.
  ///
  /// @return blocks freed
  int reset() {
    int before = pool.freeCount();
    resetting = true;
    while (idleNodes > 0) {
      evictNode(policy.victim());
    }
    while (windows.oldestLoose() != NONE) {
      evictLoose(windows.oldestLoose());
    }
    for (int node = 0; node < tree.endNode(); node++) {
      if (tree.isLive(node) && node != PrefixTree.PRIVATE) {
        if (tree.isIndexed(node)) {
          policy.onRemove(node);
        }
        tree.hide(node);
      }
    }
    resetting = false;
    return pool.freeCount() - before;
  }
}
