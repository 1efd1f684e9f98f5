package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.KvStorage;

/// What tables hold, and how they come to hold and let go of it: matched prefixes, copies of blocks
/// that match in part, rewound pasts. Owned by one [KvCache], whose rules it carries out.
final class TableHoldings {
  private static final int NONE = PrefixTree.NONE;

  private final KvCache cache;
  private final KvLayout layout;
  private final KvStorage storage;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final PrefixMatch match;

  TableHoldings(KvCache cache, PrefixCache prefixes) {
    this.cache = cache;
    this.layout = cache.layout();
    this.storage = cache.storage();
    this.prefixes = prefixes;
    this.tree = prefixes.tree();
    this.pool = prefixes.pool();
    this.match = new PrefixMatch(layout, prefixes);
  }

  /// Makes an empty table hold the longest beginning of `tokens` that the cache has.
  ///
  /// @return of its tokens, how many were copied from a block that matched in part
  int findPrefix(BlockTable table, int[] tokens) {
    match.find(table.tip(), tokens, tokens.length - 1);
    int blocks = match.blocks();
    for (int index = 0; index < blocks; index++) {
      prefixes.hit(match.node(index));
    }
    hold(table, blocks, match.tokens());
    if (match.partial() == NONE) {
      return 0;
    }
    prefixes.hit(match.partial());
    return copyPartial(table, match.partial(), match.partialTokens());
  }

  /// Makes an empty table hold the first `blocks` matched nodes, of window groups those that a
  /// query at `seenFrom` sees.
  private void hold(BlockTable table, int blocks, int seenFrom) {
    int length = blocks * layout.blockTokens();
    int root = table.tip();
    if (blocks > 0) {
      int tip = match.node(blocks - 1);
      prefixes.pin(tip);
      prefixes.unpin(root);
      table.setTip(tip);
    }
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      table.startAt(g, group.firstVisible(seenFrom) / layout.blockTokens());
      int end = group.endBlock(length, layout.blockTokens());
      for (int index = table.firstBlock(g); index < end; index++) {
        int block = tree.block(match.node(index), g);
        table.append(g, block);
        if (prefixes.isWindow(g)) {
          prefixes.windows().hold(block);
        }
      }
    }
    table.setLength(length);
    table.setReserved(length);
  }

  /// Gives a table that ends with a full block the first `tokens` of a node's block as its own.
  ///
  /// @return `tokens`, or 0 where no block can be freed for the copies
  private int copyPartial(BlockTable table, int node, int tokens) {
    int index = tree.depth(node);
    prefixes.hold(node);
    boolean room = prefixes.makeRoom(prefixes.groupsAt(index));
    if (room) {
      int length = table.length() + tokens;
      for (int group = 0; group < prefixes.groups(); group++) {
        if (prefixes.keeps(group, index)) {
          int copy = pool.take();
          storage.copy(tree.block(node, group), copy);
          table.append(group, copy);
        }
      }
      table.setLength(length);
      table.setReserved(length);
    }
    prefixes.letGo(node);
    if (!room && prefixes.hasWindows()) {
      // The windows were held for the longer prefix.
      rewind(table, table.length() / layout.blockTokens(), table.length());
    }
    return room ? tokens : 0;
  }

  /// Blocks that [#fork] takes.
  int blocksToFork(BlockTable source) {
    boolean partial = source.length() % layout.blockTokens() != 0;
    return partial ? prefixes.groupsAt(source.length() / layout.blockTokens()) : 0;
  }

  /// Makes an empty table that ends at the same node a fork of another.
  void fork(BlockTable source, BlockTable fork) {
    int full = source.length() / layout.blockTokens();
    boolean partial = source.length() % layout.blockTokens() != 0;
    fork.copyBlocks(source);
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      while (fork.endBlock(g) > Math.max(full, fork.firstBlock(g))) {
        fork.removeLast(g);
      }
      for (int i = fork.firstBlock(g); prefixes.isWindow(g) && i < fork.endBlock(g); i++) {
        prefixes.windows().hold(fork.block(g, i));
      }
      if (partial && prefixes.keeps(g, full)) {
        int copy = pool.take();
        storage.copy(source.block(g, full), copy);
        fork.append(g, copy);
      }
    }
    fork.setLength(source.length());
    fork.setReserved(source.length());
  }

  /// Holds what the sequence keeps in a second table, ends the first and moves over.
  void rewind(BlockTable table, int full, int length) {
    match.rewind(table.tip(), full, length);
    int root = tree.rootOf(table.tip());
    tree.retain(root);
    BlockTable kept = new BlockTable(cache, table.id(), layout.groups().size(), root);
    hold(kept, match.blocks(), match.tokens());
    int partial = match.partial();
    if (partial != NONE) {
      prefixes.hold(partial);
    } else if (match.keepsTail()) {
      for (LayerGroup group : layout.groups()) {
        if (prefixes.keeps(group.index(), full)) {
          int tail = table.block(group.index(), full);
          kept.append(group.index(), tail);
          table.replace(group.index(), full, NONE);
        }
      }
      kept.setLength(length);
      kept.setReserved(length);
    }
    letGo(table);
    table.takeOver(kept);
    if (partial != NONE && !takeBack(table, partial, length)) {
      copyPartial(table, partial, match.partialTokens());
      prefixes.letGo(partial);
    }
    slideWindows(table);
  }

  /// Makes the blocks of a node that only this call holds the table's own last blocks.
  private boolean takeBack(BlockTable table, int node, int length) {
    int index = tree.depth(node);
    boolean room = prefixes.availableBlocks() >= prefixes.groupsAt(index);
    if (!prefixes.isHeldOnce(node) || room && !tree.isHidden(node)) {
      return false;
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      if (prefixes.keeps(group, index)) {
        table.append(group, tree.block(node, group));
      }
    }
    prefixes.dissolve(node);
    table.setLength(length);
    table.setReserved(length);
    return true;
  }

  /// Lets go of everything that a table holds.
  void letGo(BlockTable table) {
    PrunedPages pages = table.pages();
    if (pages != null) {
      dropPrivate(table, 0);
      TablePruning.letGo(table, pages, pool);
    }
    dropPrivate(table, table.length() / layout.blockTokens());
    boolean hidden = tree.isHidden(table.tip());
    if (!hidden) {
      prefixes.unpin(table.tip());
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      while (table.endBlock(group) > table.firstBlock(group)) {
        int block = table.removeLast(group);
        if (prefixes.isWindow(group)) {
          prefixes.dropWindowBlock(block);
        }
      }
    }
    if (hidden) {
      prefixes.unpin(table.tip());
    }
  }

  /// Frees the blocks from index `endBlock` on, which are the table's own.
  void dropPrivate(BlockTable table, int endBlock) {
    for (int group = 0; group < prefixes.groups(); group++) {
      while (table.endBlock(group) > Math.max(endBlock, table.firstBlock(group))) {
        int block = table.removeLast(group);
        if (block != NONE) {
          pool.free(block);
        }
      }
    }
  }

  /// Lets go of the blocks before the oldest that a query at `length` sees.
  void slideWindows(BlockTable table) {
    if (!prefixes.hasWindows()) {
      return;
    }
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int first = group.firstVisible(table.length()) / layout.blockTokens();
      while (table.firstBlock(g) < Math.min(first, table.endBlock(g))) {
        if (table.pages() == null) {
          prefixes.dropWindowBlock(table.removeFirst(g));
        } else {
          pool.free(table.removeFirst(g));
        }
      }
    }
  }
}
