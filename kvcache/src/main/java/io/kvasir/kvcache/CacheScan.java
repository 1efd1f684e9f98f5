package io.kvasir.kvcache;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Makes one [CacheView]: walks the tree from its leaves to its roots once, so that the time is
/// linear in nodes, blocks and what the view's limits let through.
final class CacheScan {
  private static final int NONE = PrefixTree.NONE;

  private final KvCache cache;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final int groups;
  private final CacheView.Cells cells;

  /// For each node: tables that end at it or below, and these with pins.
  private final int[] tables;

  private final int[] holders;

  /// For each node, nodes at it or below.
  private final int[] size;

  CacheScan(KvCache cache, PrefixCache prefixes, PrefixPins pins) {
    this.cache = cache;
    this.prefixes = prefixes;
    this.tree = prefixes.tree();
    this.groups = prefixes.groups();
    this.cells =
        new CacheView.Cells(cache.layout().blockTokens(), groups, prefixes.pool().capacity());
    this.tables = new int[tree.endNode()];
    this.holders = new int[tree.endNode()];
    this.size = new int[tree.endNode()];
    int[] pinned = new int[prefixes.hasWindows() ? cells.states.length : 0];
    for (PrefixPin pin : pins.active()) {
      holders[pin.node()]++;
      for (int block : pin.windowBlocks()) {
        pinned[block]++;
      }
    }
    for (BlockTable table : cache.tables()) {
      tables[table.tip()]++;
      holders[table.tip()]++;
    }
    sumUpwards();
    scanNodes(pinned);
    cache.tables().forEach(this::scanOwn);
  }

  CacheView view(CacheView.Limits limits) {
    List<BlockTable> all = new ArrayList<>(cache.tables());
    all.sort(Comparator.comparingLong(BlockTable::id));
    List<CacheView.Table> told = new ArrayList<>();
    for (int i = 0; i < Math.min(limits.tables(), all.size()); i++) {
      told.add(describe(all.get(i)));
    }
    return new CacheView(
        cells, told, all.size(), new PrefixRanking(tree, holders, size).top(limits));
  }

  /// Adds to each node what is below it.
  private void sumUpwards() {
    int end = tree.endNode();
    int deepest = 0;
    for (int node = 0; node < end; node++) {
      deepest = tree.isLive(node) ? Math.max(deepest, tree.depth(node)) : deepest;
    }
    // Nodes in the order of their depth, by counting.
    int[] from = new int[deepest + 2];
    for (int node = 0; node < end; node++) {
      if (isBlock(node)) {
        from[tree.depth(node) + 1]++;
      }
    }
    for (int depth = 1; depth < from.length; depth++) {
      from[depth] += from[depth - 1];
    }
    int[] order = new int[from[deepest + 1]];
    for (int node = 0; node < end; node++) {
      if (isBlock(node)) {
        order[from[tree.depth(node)]++] = node;
      }
    }
    for (int i = order.length - 1; i >= 0; i--) {
      int node = order[i];
      size[node]++;
      int above = tree.above(node);
      tables[above] += tables[node];
      holders[above] += holders[node];
      size[above] += size[node];
    }
  }

  private boolean isBlock(int node) {
    return tree.isLive(node) && !tree.isRoot(node);
  }

  private void scanNodes(int[] pinned) {
    for (int node = 0; node < tree.endNode(); node++) {
      if (!isBlock(node)) {
        continue;
      }
      for (int group = 0; group < groups; group++) {
        int block = tree.block(node, group);
        if (block == NONE) {
          continue;
        }
        boolean window = prefixes.isWindow(group);
        int held = window ? prefixes.windows().holders(block) : holders[node];
        int byTables = window ? held - pinned[block] : tables[node];
        mark(block, state(held, byTables), held, cells.blockTokens, group);
        cells.hits[block] = tree.hits(node);
        if (held == 0) {
          boolean loose = window && prefixes.windows().isLoose(block);
          long used = loose ? prefixes.windows().looseSince(block) : tree.lastUse(node);
          cells.lastUse[block] = (int) used;
        }
      }
    }
  }

  private static CacheView.State state(int held, int byTables) {
    if (held == 0) {
      return CacheView.State.CACHED;
    }
    if (byTables == 0) {
      return CacheView.State.PINNED;
    }
    return held == 1 ? CacheView.State.PRIVATE : CacheView.State.SHARED;
  }

  /// The blocks of a table that stand in no node.
  private void scanOwn(BlockTable table) {
    CacheView.State state =
        table.promotion() == null ? CacheView.State.PRIVATE : CacheView.State.IN_TRANSFER;
    int blockTokens = cells.blockTokens;
    PrunedPages pages = table.pages();
    if (pages != null) {
      scanPages(pages);
    }
    for (int i = 0; i < table.marginBlocks(); i++) {
      mark(table.marginBlock(i), CacheView.State.PRIVATE, 1, 0, 0);
    }
    int full = pages == null ? table.length() / blockTokens : 0;
    for (int group = 0; group < groups; group++) {
      for (int i = Math.max(full, table.firstBlock(group)); i < table.endBlock(group); i++) {
        int filled = Math.clamp((long) table.length() - (long) i * blockTokens, 0, blockTokens);
        mark(table.block(group, i), state, 1, filled, group);
      }
    }
  }

  /// Pages are told as blocks full of tokens.
  private void scanPages(PrunedPages pages) {
    int held = pages.holders();
    CacheView.State state = held > 1 ? CacheView.State.SHARED : CacheView.State.PRIVATE;
    for (int group = 0; group < groups; group++) {
      for (int i = 0; i < pages.blocks(group); i++) {
        mark(pages.block(group, i), state, held, cells.blockTokens, group);
      }
    }
  }

  private void mark(int block, CacheView.State state, int held, int tokens, int group) {
    cells.states[block] = (byte) state.code();
    cells.references[block] = held;
    cells.tokens[block] = (short) tokens;
    cells.groupOf[block] = (byte) group;
  }

  private CacheView.Table describe(BlockTable table) {
    int[] first = new int[groups];
    int[][] blocks = new int[groups][];
    for (int group = 0; group < groups; group++) {
      first[group] = table.firstBlock(group);
      blocks[group] = table.blocks(group);
    }
    return new CacheView.Table(
        table.id(), table.length(), table.reserved(), first, blocks, table.promotion() != null);
  }
}
