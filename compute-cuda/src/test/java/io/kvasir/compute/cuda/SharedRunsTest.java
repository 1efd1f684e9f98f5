package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class SharedRunsTest {
  private static final int BLOCK = 64;

  @Test
  void find_randomForests_itemsCoverWhatRowsSkipOnceInTheirOwnBlocks() {
    int shared = 0;
    for (long seed = 1; seed <= 60; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      ExactRows exact = random.nextBoolean() ? ExactRows.NONE : new ExactRows(64, 64);
      shared += checkForest(random, exact, "seed " + seed) ? 1 : 0;
    }
    assertThat(shared).isBetween(20, 59);
  }

  /// Whether sequences of the forest share something.
  private static boolean checkForest(SplittableRandom random, ExactRows exact, String name) {
    LayerKv kv = new LayerKv(2, 16, 16, 0, KvFormat.INT8, KvFormat.INT8, exact);
    KvLayout layout = KvLayout.of(List.of(kv), BLOCK);
    int blocks = 4000;
    try (KvCache cache =
        new KvCache(
            new KvCacheConfig(layout, blocks), new HostStorage(layout.blockBytes(), blocks))) {
      AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
      List<BlockTable> tables = new ArrayList<>();
      grow(cache, cache.open(), tables, random, 3);
      for (BlockTable table : tables) {
        cache.reserve(table, 1);
        batch.add(table, 1);
      }
      SharedRuns shared = new SharedRuns(132);
      shared.allow(4);
      shared.shareFrom(random.nextInt(20_000));
      shared.find(batch);
      int padded = tables.size() + 3;
      int[] into = new int[1000 + SharedRuns.size(padded, shared.items())];
      int starts = 7;
      for (int s = 0; s < tables.size(); s++) {
        into[starts + s] = 5000 + s;
      }
      if (shared.items() == 0) {
        return false;
      }
      shared.write(into, 500, padded, starts);
      checkRows(batch, exact, shared, into, padded, name);
      return true;
    }
  }

  /// A tree of sequences: some that end here, others that go on from here.
  private static void grow(
      KvCache cache, BlockTable table, List<BlockTable> into, SplittableRandom random, int levels) {
    int more = random.nextInt(1, 1500);
    cache.reserve(table, more);
    cache.commit(table, more);
    int children = levels == 0 ? 0 : random.nextInt(1, 7);
    for (int i = 0; i < children; i++) {
      if (cache.fork(table) instanceof KvCache.Forked.Table fork) {
        grow(cache, fork.table(), into, random, levels - random.nextInt(1, 3) < 0 ? 0 : levels - 1);
      }
    }
    into.add(table);
  }

  private static void checkRows(
      AttentionMetadata batch,
      ExactRows exact,
      SharedRuns shared,
      int[] into,
      int padded,
      String name) {
    int at = 500;
    int items = at + 2 * padded + 1;
    assertThat(into[items - 1]).as(name).isEqualTo(shared.items());
    int slots = 0;
    for (int row = 0; row < padded; row++) {
      int to = into[at + row];
      int runs = into[at + padded + row];
      slots += runs;
      int[] seen = new int[to];
      boolean[] shifts = new boolean[runs];
      for (int i = 0; i < shared.items(); i++) {
        int of = items + i * SharedRuns.ITEM_INTS;
        if (row < into[of] || row >= into[of] + into[of + 1]) {
          continue;
        }
        assertThat(into[of + 1]).isBetween(1, shared.rowsOfItem());
        BlockTable leader = batch.table(into[of + 2] - 5000);
        for (int p = into[of + 3]; p < into[of + 4]; p++) {
          seen[p]++;
          assertThat(leader.block(0, p / BLOCK))
              .as("%s, row %d, position %d", name, row, p)
              .isEqualTo(batch.table(row).block(0, p / BLOCK));
        }
        assertThat(shifts[into[of + 5]]).as(name).isFalse();
        shifts[into[of + 5]] = true;
      }
      assertThat(seen)
          .as("%s, row %d", name, row)
          .containsOnly(to == 0 ? new int[0] : new int[] {1});
      assertThat(shifts).as(name).doesNotContain(false);
      if (row < batch.rows()) {
        assertThat(to).as(name).isLessThanOrEqualTo(exact.exactFrom(batch.positions()[row]));
        assertThat(shared.skipped(row)).isEqualTo(Math.max(0, to - exact.sinks()));
      } else {
        assertThat(to).isZero();
      }
    }
    assertThat(slots).as(name).isEqualTo(shared.slots());
  }

  @Test
  void find_fewRowsOrNobodyAllowed_sharesNothing() {
    assertThat(leastRows(640, 1)).isEqualTo(8);
    assertThat(leastRows(255, 1)).isZero();
    assertThat(leastRows(640, Long.MAX_VALUE)).isZero();
  }

  /// 8 rows gain from 4096 positions on, 16 from 2048, 32 from 1024.
  @Test
  void find_fewReadingsSaved_sharesNothing() {
    assertThat(leastRows(8192, SharedRuns.LEAST_READS)).isEqualTo(8);
    assertThat(leastRows(4096, SharedRuns.LEAST_READS)).isEqualTo(8);
    assertThat(leastRows(2048, SharedRuns.LEAST_READS)).isEqualTo(16);
    assertThat(leastRows(1024, SharedRuns.LEAST_READS)).isEqualTo(32);
    assertThat(leastRows(512, SharedRuns.LEAST_READS)).isZero();
  }

  /// Adds sequences that begin with the same positions, one row each.
  private static void fork(KvCache cache, AttentionMetadata batch, int positions, int rows) {
    BlockTable first = cache.open();
    cache.reserve(first, positions);
    cache.commit(first, positions);
    for (int row = 0; row < rows; row++) {
      BlockTable table =
          cache.fork(first) instanceof KvCache.Forked.Table fork ? fork.table() : first;
      cache.reserve(table, 1);
      batch.add(table, 1);
    }
  }

  /// From how many rows on, of up to 40, their first positions are shared; 0 for never.
  private static int leastRows(int positions, long leastReads) {
    LayerKv kv = new LayerKv(2, 16, 16, 0, KvFormat.F16, KvFormat.F16);
    KvLayout layout = KvLayout.of(List.of(kv), BLOCK);
    for (int rows = 1; rows <= 40; rows++) {
      try (KvCache cache =
          new KvCache(new KvCacheConfig(layout, 400), new HostStorage(layout.blockBytes(), 400))) {
        AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
        fork(cache, batch, positions, rows);
        SharedRuns shared = new SharedRuns(132);
        shared.shareFrom(leastReads);
        shared.find(batch);
        assertThat(shared.items()).isZero();
        shared.allow(4);
        shared.find(batch);
        int items = shared.items();
        shared.allow(0);
        shared.find(batch);
        assertThat(shared.items()).isZero();
        if (items > 0) {
          return rows;
        }
      }
    }
    return 0;
  }
}
