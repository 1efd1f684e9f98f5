package io.kvasir.kvcache;

import java.util.IdentityHashMap;
import java.util.Map;

/// One look at a whole [KvCache]: proves its invariants (see there) and counts what is shared.
///
/// Everything is derived anew from the tables, the pins and the tree, and compared with the counts
/// that the cache keeps up to date as it goes.
final class CacheAudit {
  private static final int NONE = PrefixTree.NONE;

  private final KvCache cache;
  private final KvLayout layout;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final PrefixPins pins;
  private final int groups;
  private int idleNodes;
  private int idleBlocks;
  private int looseBlocks;

  CacheAudit(KvCache cache, PrefixCache prefixes, PrefixPins pins) {
    this.cache = cache;
    this.layout = cache.layout();
    this.prefixes = prefixes;
    this.tree = prefixes.tree();
    this.pool = prefixes.pool();
    this.pins = pins;
    this.groups = layout.groups().size();
  }

  void verify() {
    pool.verify();
    int[] places = new int[pool.capacity()];
    int[] windowHolders = new int[pool.capacity()];
    int[] expectedPins = new int[tree.endNode()];
    for (BlockTable table : cache.tables()) {
      check(tree.isLive(table.tip()), "I2: %s ends at the removed node %d", table, table.tip());
      expectedPins[table.tip()]++;
      verifyTable(table, places, windowHolders);
      for (int i = 0; i < table.marginBlocks(); i++) {
        places[table.marginBlock(i)]++;
      }
    }
    prunedPages().forEach((pages, holders) -> verifyPages(pages, holders, places));
    for (PrefixPin pin : pins.active()) {
      expectedPins[pin.node()]++;
      for (int block : pin.windowBlocks()) {
        windowHolders[block]++;
      }
    }
    verifyNodes(places, expectedPins, windowHolders);
    for (int block = 0; block < places.length; block++) {
      check(
          places[block] == (pool.isTaken(block) ? 1 : 0),
          "I3: block %d is %s and has %d places",
          block,
          pool.isTaken(block) ? "taken" : "free",
          places[block]);
    }
    verifyPolicy();
  }

  private void verifyTable(BlockTable table, int[] places, int[] windowHolders) {
    int blockTokens = layout.blockTokens();
    PrunedPages pages = table.pages();
    int full = pages == null ? table.length() / blockTokens : 0;
    check(
        pages == null || table.tip() == PrefixTree.PRIVATE,
        "I4: the pruned %s ends at node %d",
        table,
        table.tip());
    check(
        tree.depth(table.tip()) == full - 1,
        "I4: %s ends at a node of depth %d",
        table,
        tree.depth(table.tip()));
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int end = group.endBlock(table.reserved(), blockTokens);
      int first = Math.min(end, group.firstVisible(table.length()) / blockTokens);
      if (pages != null && PrunedPages.isPruned(group)) {
        first = pages.tokens() / blockTokens;
      }
      check(
          table.endBlock(g) == end && table.firstBlock(g) == first,
          "I8: group %d of %s holds blocks %d to %d and should hold %d to %d",
          g,
          table,
          table.firstBlock(g),
          table.endBlock(g) - 1,
          first,
          end - 1);
      int node = table.tip();
      for (int index = full - 1; index >= first; index--, node = tree.above(node)) {
        if (index >= end) {
          continue;
        }
        int block = table.block(g, index);
        check(
            tree.block(node, g) == block,
            "I4: block %d of %s is %d, its node has %d",
            index,
            table,
            block,
            tree.block(node, g));
        windowHolders[block] += prefixes.isWindow(g) ? 1 : 0;
      }
      for (int index = Math.max(first, full); index < end; index++) {
        places[table.block(g, index)]++;
      }
    }
  }

  /// The pages of all pruned tables, each with the number of its tables.
  private IdentityHashMap<PrunedPages, Integer> prunedPages() {
    IdentityHashMap<PrunedPages, Integer> holders = new IdentityHashMap<>();
    for (BlockTable table : cache.tables()) {
      PrunedPages pages = table.pages();
      if (pages != null) {
        holders.merge(pages, 1, Integer::sum);
      }
    }
    return holders;
  }

  private static void verifyPages(PrunedPages pages, int holders, int[] places) {
    check(
        pages.holders() == holders,
        "I3: %s has %d holders, counted are %d",
        pages,
        pages.holders(),
        holders);
    pages.forEachBlock(block -> places[block]++);
  }

  private void verifyNodes(int[] places, int[] expectedPins, int[] windowHolders) {
    int live = 0;
    for (int node = 0; node < tree.endNode(); node++) {
      if (!tree.isLive(node)) {
        continue;
      }
      live++;
      verifyPlace(node, expectedPins);
      if (!tree.isRoot(node)) {
        verifyState(node);
        verifyBlocks(node, places, windowHolders);
      }
    }
    check(live == tree.nodeCount(), "I5: %d nodes live, %d counted", live, tree.nodeCount());
    check(
        idleNodes == prefixes.idleNodes()
            && idleBlocks == prefixes.idleBlocks()
            && looseBlocks == prefixes.windows().looseCount(),
        "I6: %d nodes and %d blocks are idle and %d loose; counted are %d, %d and %d",
        idleNodes,
        idleBlocks,
        looseBlocks,
        prefixes.idleNodes(),
        prefixes.idleBlocks(),
        prefixes.windows().looseCount());
  }

  private void verifyPlace(int node, int[] expectedPins) {
    int children = 0;
    for (int at = tree.firstChild(node); at != NONE; at = tree.nextSibling(at)) {
      children++;
      check(tree.above(at) == node, "I5: node %d is not the parent of its child %d", node, at);
      expectedPins[node] += tree.pins(at) > 0 ? 1 : 0;
    }
    check(
        children == tree.childCount(node),
        "I5: node %d has %d children and counts %d",
        node,
        children,
        tree.childCount(node));
    check(
        tree.pins(node) == expectedPins[node],
        "I2: node %d has %d pins and %d holders",
        node,
        tree.pins(node),
        expectedPins[node]);
  }

  private void verifyState(int node) {
    boolean idle = tree.isIdle(node);
    check(tree.isLive(tree.above(node)), "I5: node %d has lost its parent", node);
    check(idle || tree.pins(tree.above(node)) > 0, "I5: the parent of node %d is idle", node);
    check(tree.isIndexed(node) || !idle, "I3: node %d is hidden and held by nobody", node);
    check(
        !tree.isIndexed(node) || tree.isFoundByItself(node),
        "I7: node %d is not what its tokens find",
        node);
    idleNodes += idle ? 1 : 0;
  }

  private void verifyBlocks(int node, int[] places, int[] windowHolders) {
    boolean idle = tree.isIdle(node);
    for (int group = 0; group < groups; group++) {
      int block = tree.block(node, group);
      boolean window = prefixes.isWindow(group);
      if (block == NONE) {
        check(
            window || !prefixes.keeps(group, tree.depth(node)),
            "I4: node %d lacks group %d",
            node,
            group);
        continue;
      }
      check(
          prefixes.keeps(group, tree.depth(node)),
          "I8: node %d has a block of group %d behind its limit",
          node,
          group);
      places[block]++;
      boolean loose = window && prefixes.windows().isLoose(block);
      looseBlocks += loose ? 1 : 0;
      idleBlocks += idle && !loose ? 1 : 0;
      if (window) {
        verifyWindowBlock(node, group, block, windowHolders[block], idle);
      }
    }
  }

  private void verifyWindowBlock(int node, int group, int block, int holders, boolean idle) {
    WindowBlocks windows = prefixes.windows();
    check(
        windows.nodeOf(block) == node && windows.groupOf(block) == group,
        "I3: block %d stands in node %d and says %d",
        block,
        node,
        windows.nodeOf(block));
    check(
        windows.holders(block) == holders,
        "I2: block %d has %d holders, counted are %d",
        block,
        holders,
        windows.holders(block));
    check(
        holders > 0 ? !windows.isLoose(block) && !idle : idle || windows.isLoose(block),
        "I6: block %d of node %d with %d holders is %sloose",
        block,
        node,
        holders,
        windows.isLoose(block) ? "" : "not ");
  }

  private void verifyPolicy() {
    int victim = prefixes.policy().victim();
    if (prefixes.idleNodes() == 0) {
      check(victim == NONE, "I6: nothing is idle and the policy names node %d", victim);
    } else {
      check(
          victim != NONE && tree.isLive(victim) && tree.isEvictable(victim),
          "I6: the policy names node %d, which is no idle leaf",
          victim);
    }
  }

  /// Blocks that more than one live table, or a table and a pin, hold.
  int sharedBlocks() {
    int[] tables = new int[tree.endNode()];
    for (BlockTable table : cache.tables()) {
      tables[table.tip()]++;
    }
    boolean[] shared = new boolean[tree.endNode()];
    int count = 0;
    for (BlockTable table : cache.tables()) {
      // Below the first node with several tables or pinned children everything is this table's own.
      int at = table.tip();
      while (!tree.isRoot(at) && tree.pins(at) == 1 && tables[at] <= 1) {
        at = tree.above(at);
      }
      while (!tree.isRoot(at) && !shared[at]) {
        shared[at] = true;
        count += prefixes.steadyGroups(tree.depth(at));
        at = tree.above(at);
      }
    }
    for (Map.Entry<PrunedPages, Integer> pages : prunedPages().entrySet()) {
      count += pages.getValue() > 1 ? pages.getKey().blockCount() : 0;
    }
    return count + sharedWindowBlocks();
  }

  private int sharedWindowBlocks() {
    int count = 0;
    if (prefixes.hasWindows()) {
      for (int block = 0; block < pool.capacity(); block++) {
        count += prefixes.windows().holders(block) > 1 ? 1 : 0;
      }
    }
    return count;
  }

  private static void check(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalStateException(message.formatted(values));
    }
  }
}
