package io.kvasir.kvcache;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.util.function.IntSupplier;

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
    if (cache.makeRoom(wanted)) {
      carryOver(table, pages, storage, pool::take);
      return Reservation.Granted.GRANTED;
    }
    if (wanted > prefixes.availableBlocks() + ownBlocks(table, kept.tokens())
        || wanted * layout.blockBytes() > KvCache.STAGE_BYTES) {
      return new Reservation.Insufficient(wanted, prefixes.availableBlocks());
    }
    // There is room only once the table has let go of what it has.
    try (HostStorage stage = new HostStorage(layout.blockBytes(), wanted)) {
      int[] next = {0};
      int full = table.pages() == null ? table.length() / layout.blockTokens() : 0;
      carryOver(table, pages, stage, () -> next[0]++);
      settle(table, full, stage);
    }
    return Reservation.Granted.GRANTED;
  }

  /// Makes the table one of the pages and of what is behind them.
  ///
  /// @param into gets the bytes of new blocks
  /// @param ids of blocks of `into`
  private void carryOver(BlockTable table, PrunedPages pages, KvStorage into, IntSupplier ids) {
    for (int group = 0; group < prefixes.groups(); group++) {
      for (int i = 0; i < pages.blocks(group); i++) {
        pages.place(group, i, ids.getAsInt());
      }
    }
    try (PageWriter writer = new PageWriter(layout, storage, into, table, pages)) {
      writer.write();
    }
    BlockTable pruned =
        new BlockTable(cache, table.id(), layout.groups().size(), PrefixTree.PRIVATE);
    pruned.setPages(pages);
    moveLive(table, pruned, into, ids);
    tree.retain(PrefixTree.PRIVATE);
    holdings.letGo(table);
    table.takeOver(pruned);
  }

  /// Moves what a table has in the stage to blocks of the pool.
  ///
  /// @param full one past the index of the last block that was copied
  private void settle(BlockTable table, int full, HostStorage stage) {
    PrunedPages pages = table.pages();
    if (pages == null || !cache.makeRoom(stage.blockCount())) {
      throw new IllegalStateException("no room for " + table + " after it let go of its blocks");
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      for (int i = 0; i < pages.blocks(group); i++) {
        pages.place(group, i, settle(pages.block(group, i), stage));
      }
      int end = Math.min(full, table.endBlock(group));
      for (int index = table.firstBlock(group); index < end; index++) {
        table.replace(group, index, settle(table.block(group, index), stage));
      }
    }
  }

  private int settle(int staged, HostStorage stage) {
    int block = pool.take();
    storage.write(block, stage.view(staged));
    return block;
  }

  /// Blocks that nobody needs any more once the table lets go of what is before its live blocks, at
  /// least.
  private int ownBlocks(BlockTable table, int tokens) {
    PrunedPages before = table.pages();
    int own = 0;
    if (before == null) {
      for (int at = table.tip(); !tree.isRoot(at) && tree.pins(at) == 1; at = tree.above(at)) {
        for (int group = 0; group < prefixes.groups(); group++) {
          int block = tree.block(at, group);
          boolean held = !prefixes.isWindow(group) || block != NONE && isHeldOnce(block);
          own += block != NONE && held ? 1 : 0;
        }
      }
      return own;
    }
    for (LayerGroup group : PrunedPages.prunedGroups(layout)) {
      own += tokens / layout.blockTokens() - table.firstBlock(group.index());
    }
    return own + (before.holders() == 1 ? before.blockCount() : 0);
  }

  private boolean isHeldOnce(int windowBlock) {
    return prefixes.windows().holders(windowBlock) == 1;
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
      for (LayerKv kv : group.kvs()) {
        checkRows(kv.keyFormat(), kv.keyKind());
        if (kv.valueDim() > 0) {
          checkRows(kv.valueFormat(), PlaneKind.VALUES);
        }
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
  private void moveLive(BlockTable from, BlockTable to, KvStorage into, IntSupplier ids) {
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
          to.append(g, copy(block, into, ids.getAsInt()));
        } else {
          to.append(g, block);
          from.replace(g, index, NONE);
        }
      }
    }
    to.setLength(from.length());
    to.setReserved(from.reserved());
  }

  private int copy(int block, KvStorage into, int copy) {
    MemorySegment view = into.equals(storage) ? null : into.view(copy);
    if (view == null) {
      storage.copy(block, copy);
    } else {
      storage.read(block, view);
    }
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
        fork.append(g, copy(source.block(g, index), storage, pool.take()));
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
