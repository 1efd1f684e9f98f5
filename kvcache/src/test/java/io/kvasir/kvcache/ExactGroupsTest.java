package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.LayerGroup.Role;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// What exact rows cost beside codes, in blocks: a few per sequence, however long it gets.
final class ExactGroupsTest {
  private static final int S = 64;

  private static KvCache cache(ExactRows exact, int blocks) {
    LayerKv kv = new LayerKv(2, 64, 64, 0, KvFormat.F16, KvFormat.F16, exact);
    KvLayout layout = KvLayout.of(List.of(kv), S);
    return new KvCache(
        new KvCacheConfig(layout, blocks), new NullStorage(layout.blockBytes(), blocks));
  }

  private static int[] prompt(int seed, int length) {
    int[] prompt = new int[length];
    Arrays.fill(prompt, seed);
    return prompt;
  }

  /// Computes what is missing of a prompt in steps, as an engine does.
  private static BlockTable run(KvCache cache, int[] prompt, int step) {
    BlockTable table = cache.lookup("", prompt);
    while (table.length() < prompt.length) {
      int count = Math.min(step, prompt.length - table.length());
      assertThat(cache.reserve(table, count)).isInstanceOf(Reservation.Granted.class);
      cache.commit(table, prompt, count);
    }
    cache.verify();
    return table;
  }

  @Test
  void commit_longSequence_holdsFewExactBlocks() {
    KvCache cache = cache(new ExactRows(128, 64), 200);
    BlockTable table = run(cache, prompt(1, 100 * S + 1), S);
    LayerGroup tail = Objects.requireNonNull(cache.layout().exactGroup(0, Role.TAIL));
    LayerGroup sinks = Objects.requireNonNull(cache.layout().exactGroup(0, Role.SINKS));
    assertThat(table.endBlock(0) - table.firstBlock(0)).isEqualTo(101);
    assertThat(table.firstBlock(tail.index())).isEqualTo(99);
    assertThat(table.firstBlock(sinks.index())).isZero();
    assertThat(table.endBlock(sinks.index())).isEqualTo(2);
    assertThat(table.blockCount()).isLessThanOrEqualTo((int) cache.layout().blocksFor(6401, S));
    assertThat(table.blockCount()).isEqualTo(101 + 2 + 2);
  }

  @Test
  void lookup_tailOnTheGridOfBlocks_findsWholePrefixWithoutTail() {
    KvCache cache = cache(new ExactRows(64, 0), 60);
    cache.release(run(cache, prompt(1, 20 * S + 5), 3 * S));
    BlockTable again = cache.lookup("", prompt(1, 15 * S + 1));
    assertThat(again.length()).isEqualTo(15 * S);
    assertThat(again.blockCount()).isEqualTo(15 + 1);
    cache.verify();
  }

  @Test
  void reserve_poolFull_dropsTailsBehindBeforePrefixes() {
    // Codes of two sequences and a few blocks, not what both leave behind of their tails.
    KvCache cache = cache(new ExactRows(0, 0), 50);
    cache.release(run(cache, prompt(1, 20 * S + 1), S));
    cache.release(run(cache, prompt(2, 20 * S + 1), S));
    assertThat(cache.stats().counters().evictedNodes()).isZero();
    BlockTable first = cache.lookup("", prompt(1, 20 * S + 1));
    BlockTable second = cache.lookup("", prompt(2, 20 * S + 1));
    assertThat(first.length()).isEqualTo(20 * S);
    assertThat(second.length()).isEqualTo(20 * S);
    cache.verify();
  }

  @Test
  void lookup_longerTail_findsOnlyWhereTheTailIsThere() {
    KvCache cache = cache(new ExactRows(0, 128), 34);
    cache.release(run(cache, prompt(1, 10 * S + 1), S));
    // Fills the pool, so that the tails behind the first sequence go.
    cache.release(run(cache, prompt(2, 12 * S), S));
    BlockTable table = cache.lookup("", prompt(1, 10 * S + 1));
    LayerGroup tail = Objects.requireNonNull(cache.layout().exactGroup(0, Role.TAIL));
    int first = tail.firstVisible(table.length()) / S;
    assertThat(table.firstBlock(tail.index())).isEqualTo(Math.min(first, table.endBlock(0)));
    cache.verify();
  }

  @Test
  void truncate_insideTheSinks_keepsThem() {
    KvCache cache = cache(new ExactRows(128, -1), 60);
    BlockTable table = run(cache, prompt(1, 5 * S), S);
    assertThat(cache.truncate(table, S + 3)).isEqualTo(S + 3);
    assertThat(table.blockCount()).isEqualTo(4);
    cache.verify();
    assertThat(cache.reserve(table, 3 * S)).isInstanceOf(Reservation.Granted.class);
    cache.commit(table, prompt(1, 5 * S), 3 * S);
    LayerGroup sinks = Objects.requireNonNull(cache.layout().exactGroup(0, Role.SINKS));
    assertThat(table.endBlock(sinks.index())).isEqualTo(2);
    cache.verify();
  }
}
