package io.kvasir.kvcache;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.KvStorage;

/// What is different about pruned tables: how they come to be, are forked, rewound and end.
///
/// A pruned table stands outside of the prefix tree, since its rows are no function of its tokens
/// alone: all its blocks are its own, whether full or not, and the pages of its kept rows are
/// shared with its forks only. Owned by one [KvCache].
final class TablePruning {
  private static final int NONE = PrefixTree.NONE;

  private final KvCache cache;
  private final KvLayout layout;
  private final KvStorage storage;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final TableHoldings holdings;

  TablePruning(KvCache cache, PrefixCache prefixes, TableHoldings holdings) {
    this.cache = cache;
    this.layout = cache.layout();
    this.storage = cache.storage();
    this.prefixes = prefixes;
    this.tree = prefixes.tree();
    this.pool = prefixes.pool();
    this.holdings = holdings;
  }

  /// See [KvCache#prune].
  Reservation prune(BlockTable table, KeptTokens kept) {
    check(table, kept);
    PrunedPages pages = new PrunedPages(layout, kept, table.pages());
    int wanted = pages.blockCount() + copiedBlocks(table, kept.tokens());
    if (!cache.makeRoom(wanted)) {
      return new Reservation.Insufficient(wanted, prefixes.availableBlocks());
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      for (int i = 0; i < pages.blocks(group); i++) {
        pages.place(group, i, pool.take());
      }
    }
    try (PageWriter writer = new PageWriter(layout, storage, table, pages)) {
      writer.write();
    }
    tree.retain(PrefixTree.PRIVATE);
    BlockTable pruned =
        new BlockTable(cache, table.id(), layout.groups().size(), PrefixTree.PRIVATE);
    pruned.setPages(pages);
    moveLive(table, pruned);
    holdings.letGo(table);
    table.takeOver(pruned);
    return Reservation.Granted.GRANTED;
  }

  private void check(BlockTable table, KeptTokens kept) {
    PrunedPages before = table.pages();
    int least = before == null ? layout.blockTokens() : before.tokens();
    if (kept.tokens() % layout.blockTokens() != 0
        || kept.tokens() < least
        || kept.tokens() > table.length()) {
      throw new IllegalArgumentException(
          "tokens to prune must be a multiple of %d from %d to %d: %d"
              .formatted(layout.blockTokens(), least, table.length(), kept.tokens()));
    }
    checkPrunable(layout);
  }

  /// See [KvLayout#checkPrunable].
  static void checkPrunable(KvLayout layout) {
    for (LayerGroup group : PrunedPages.prunedGroups(layout)) {
      LayerKv kv = group.kv();
      checkRows(kv.keyFormat(), kv.keyKind());
      if (kv.valueDim() > 0) {
        checkRows(kv.valueFormat(), PlaneKind.VALUES);
      }
    }
  }

  private static void checkRows(KvFormat format, PlaneKind kind) {
    if (format.tileTokens(kind) > 1) {
      throw new IllegalArgumentException(
          "cache format %s encodes %d tokens at once, so single tokens cannot be pruned"
              .formatted(format.name(), format.tileTokens(kind)));
    }
  }

  /// The first block that a table pruned up to `tokens` keeps of a group.
  private int firstLive(BlockTable table, LayerGroup group, int tokens) {
    return PrunedPages.isPruned(group)
        ? tokens / layout.blockTokens()
        : table.firstBlock(group.index());
  }

  /// Blocks that stand in nodes and are kept as copies.
  private int copiedBlocks(BlockTable table, int tokens) {
    int full = table.pages() == null ? table.length() / layout.blockTokens() : 0;
    int copies = 0;
    for (LayerGroup group : layout.groups()) {
      int end = Math.min(full, table.endBlock(group.index()));
      copies += Math.max(0, end - firstLive(table, group, tokens));
    }
    return copies;
  }

  /// Gives `to` what `from` keeps behind the pruned positions: its own blocks themselves, of those
  /// in nodes a copy.
  private void moveLive(BlockTable from, BlockTable to) {
    PrunedPages before = from.pages();
    int full = before == null ? from.length() / layout.blockTokens() : 0;
    int tokens = to.pages() == null ? 0 : to.pages().tokens();
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int first = firstLive(from, group, tokens);
      to.startAt(g, first);
      for (int index = first; index < from.endBlock(g); index++) {
        int block = from.block(g, index);
        if (index < full) {
          to.append(g, copy(block));
        } else {
          to.append(g, block);
          from.replace(g, index, NONE);
        }
      }
    }
    to.setLength(from.length());
    to.setReserved(from.reserved());
  }

  private int copy(int block) {
    int copy = pool.take();
    storage.copy(block, copy);
    return copy;
  }

  /// Blocks that [#fork] takes.
  int blocksToFork(BlockTable source) {
    int live = 0;
    for (LayerGroup group : layout.groups()) {
      int end = group.endBlock(source.length(), layout.blockTokens());
      live += Math.max(0, end - source.firstBlock(group.index()));
    }
    return live;
  }

  /// Makes an empty table a fork of a pruned one: shares the pages and copies the rest.
  void fork(BlockTable source, BlockTable fork) {
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int end = group.endBlock(source.length(), layout.blockTokens());
      fork.startAt(g, source.firstBlock(g));
      for (int index = source.firstBlock(g); index < end; index++) {
        fork.append(g, copy(source.block(g, index)));
      }
    }
    PrunedPages pages = source.pages();
    if (pages != null) {
      pages.hold();
      fork.setPages(pages);
    }
    fork.setLength(source.length());
    fork.setReserved(source.length());
  }

  /// Rewinds a pruned table within what is not pruned; further back nothing can be kept.
  void truncate(BlockTable table, PrunedPages pages, int length) {
    if (length < pages.tokens() || !windowsServe(table, length)) {
      holdings.letGo(table);
      tree.retain(PrefixTree.PRIVATE);
      for (int group = 0; group < prefixes.groups(); group++) {
        table.startAt(group, 0);
      }
      table.setLength(0);
      table.setReserved(0);
      return;
    }
    holdings.dropPrivate(table, (length + layout.blockTokens() - 1) / layout.blockTokens());
    table.setLength(length);
    table.setReserved(length);
  }

  /// Whether each window group has the blocks that a query at `length` sees.
  private boolean windowsServe(BlockTable table, int length) {
    for (LayerGroup group : layout.groups()) {
      int first = group.firstVisible(length) / layout.blockTokens();
      if (group.isWindow() && first < table.firstBlock(group.index())) {
        return false;
      }
    }
    return true;
  }

  /// Lets go of the pages of a table that ends or is pruned anew.
  static void letGo(BlockTable table, PrunedPages pages, BlockPool pool) {
    table.setPages(null);
    if (!pages.drop()) {
      return;
    }
    pages.forEachBlock(pool::free);
  }
}
