package io.kvasir.kvcache;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Compares a [CacheView] with what is counted anew by walking every table and pin, block by block.
final class ViewCheck {
  private ViewCheck() {}

  /// @param pins of the cache; ended ones are passed over
  static void check(KvCache cache, List<PrefixPin> pins) {
    CacheView view = cache.view(new CacheView.Limits(1_000, 64, 20));
    KvCacheStats stats = cache.stats();
    PrefixCache prefixes = cache.prefixes();
    int capacity = view.capacityBlocks();
    int[] tables = new int[capacity];
    int[] pinned = new int[capacity];
    boolean[] moving = new boolean[capacity];
    int[] groupOf = new int[capacity];
    Arrays.fill(groupOf, -1);
    for (BlockTable table : cache.tables()) {
      for (int g = 0; g < prefixes.groups(); g++) {
        for (int i = table.firstBlock(g); i < table.endBlock(g); i++) {
          int block = table.block(g, i);
          tables[block]++;
          groupOf[block] = g;
          moving[block] |= table.promotion() != null && i >= table.length() / view.blockTokens();
        }
      }
    }
    for (BlockTable table : cache.tables()) {
      PrunedPages pages = table.pages();
      if (pages != null) {
        pages.forEachBlock(block -> tables[block]++);
      }
    }
    for (PrefixPin pin : pins) {
      if (pin.isActive()) {
        countPin(prefixes, pin, pinned);
      }
    }
    int shared = 0;
    for (int block = 0; block < capacity; block++) {
      CacheView.State state = view.state(block);
      int held = tables[block] + pinned[block];
      demand(view.references(block) == held, "block %d has %d references", block, held);
      demand(groupOf[block] < 0 || view.group(block) == groupOf[block], "group of %d", block);
      demand(
          state == expected(prefixes, block, tables[block], held, moving[block]),
          "block %d with %d references is %s",
          block,
          held,
          state);
      boolean window = prefixes.isWindow(view.group(block));
      shared += held > 1 && (window || tables[block] > 0) ? 1 : 0;
    }
    demand(shared == stats.sharedBlocks(), "%d shared of %s", shared, stats);
    checkTotals(view, stats);
    checkTokens(cache, view);
    checkPrefixes(view);
  }

  private static CacheView.State expected(
      PrefixCache prefixes, int block, int tables, int held, boolean moving) {
    if (moving) {
      return CacheView.State.IN_TRANSFER;
    }
    if (held == 0) {
      return prefixes.pool().isTaken(block) ? CacheView.State.CACHED : CacheView.State.FREE;
    }
    if (tables == 0) {
      return CacheView.State.PINNED;
    }
    return held > 1 ? CacheView.State.SHARED : CacheView.State.PRIVATE;
  }

  private static void countPin(PrefixCache prefixes, PrefixPin pin, int[] pinned) {
    PrefixTree tree = prefixes.tree();
    for (int at = pin.node(); !tree.isRoot(at); at = tree.above(at)) {
      for (int g = 0; g < prefixes.groups(); g++) {
        if (!prefixes.isWindow(g) && tree.block(at, g) != PrefixTree.NONE) {
          pinned[tree.block(at, g)]++;
        }
      }
    }
    for (int block : pin.windowBlocks()) {
      pinned[block]++;
    }
  }

  private static void checkTotals(CacheView view, KvCacheStats stats) {
    int sum = 0;
    for (CacheView.State state : CacheView.State.values()) {
      sum += view.count(state);
    }
    int free = view.count(CacheView.State.FREE);
    int cached = view.count(CacheView.State.CACHED);
    demand(
        sum == stats.capacityBlocks()
            && free == stats.freeBlocks()
            && cached == stats.cachedBlocks()
            && sum - free - cached == stats.heldBlocks(),
        "%d free, %d cached of %d against %s",
        free,
        cached,
        sum,
        stats);
    demand(view.tableCount() == stats.tables(), "%d tables", view.tableCount());
  }

  private static void checkTokens(KvCache cache, CacheView view) {
    long told = 0;
    Set<Long> ids = new HashSet<>();
    for (CacheView.Table table : view.tables()) {
      told += table.length();
      demand(ids.add(table.id()), "table %d is told twice", table.id());
      for (int g = 0; g < view.groups(); g++) {
        for (int i = 0; i < table.blocks()[g].length; i++) {
          int index = table.first()[g] + i;
          int filled =
              Math.clamp(table.length() - index * view.blockTokens(), 0, view.blockTokens());
          demand(
              view.tokens(table.blocks()[g][i]) == filled,
              "block %d of table %d has %d tokens, not %d",
              index,
              table.id(),
              view.tokens(table.blocks()[g][i]),
              filled);
        }
      }
    }
    demand(told == cache.stats().tokens(), "%d tokens told", told);
  }

  private static void checkPrefixes(CacheView view) {
    List<CacheView.Prefix> prefixes = view.prefixes();
    for (int i = 0; i < prefixes.size(); i++) {
      CacheView.Prefix prefix = prefixes.get(i);
      demand(prefix.parent() < i && prefix.below() >= prefix.tokens(), "%s", prefix);
      if (prefix.parent() >= 0) {
        CacheView.Prefix parent = prefixes.get(prefix.parent());
        demand(
            parent.position() + parent.tokens() == prefix.position()
                && parent.below() >= parent.tokens() + prefix.below()
                && parent.references() >= prefix.references(),
            "%s after %s",
            prefix,
            parent);
      } else {
        demand(prefix.position() == 0, "%s begins a prompt", prefix);
      }
    }
  }

  private static void demand(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalStateException("the view is wrong: " + message.formatted(values));
    }
  }
}
