package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KeptTokens;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Scores of rows in the margins of tables.
final class MarginScoresTest {
  private static final int TOKENS = 600;
  private static final int PRUNED = 592;
  private static final PrunePlan PLAN =
      new PrunePlan(null, PruneOptions.parse("kvzap:0.5"), TOKENS);

  private static KvLayout layout(String recipe, int layers, int heads, int dim, int blockTokens) {
    List<LayerKv> kvs = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      KvRecipe.Formats formats = KvRecipe.named(recipe).of(layer, layers);
      kvs.add(new LayerKv(heads, dim, dim, 0, formats.keys(), formats.values(), formats.exact()));
    }
    return KvLayout.of(kvs, blockTokens);
  }

  private static float score(int position, int unit) {
    // Exact in f16.
    return position * 7 % 251 + 0.25f * unit;
  }

  private static float[] scores(MarginScores margins, int from, int end) {
    int width = margins.places().width();
    float[] scores = new float[(end - from) * width];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = score(from + i / width, i % width);
    }
    return scores;
  }

  private static void grow(KvCache cache, MarginScores margins, BlockTable table, int to) {
    assertThat(cache.reserve(table, to - table.length())).isEqualTo(Reservation.Granted.GRANTED);
    int had = table.marginBlocks();
    int wanted = margins.places().blocks(table.pruned(), to);
    assertThat(cache.reserveMargin(table, wanted)).isEqualTo(Reservation.Granted.GRANTED);
    margins.clear(table, PLAN, had);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void read_afterPruningAndGrowing_givesEachRowItsOwnScore(boolean far) {
    KvLayout layout = layout("int8", 3, 2, 16, 16);
    KvStorage near = new HostStorage(layout.blockBytes(), 200);
    KvCache cache = new KvCache(new KvCacheConfig(layout, 200), far ? new Far(near) : near);
    try {
      MarginScores margins = new MarginScores(cache);
      BlockTable table = cache.open();
      int[] tokens = new int[2 * TOKENS];
      // Steps of 48, which end inside blocks of the margin; 40 positions in between stay unknown.
      for (int from = 0; from < TOKENS; from += 48) {
        int end = Math.min(TOKENS, from + 48);
        grow(cache, margins, table, end);
        if (from != 48) {
          margins.write(table, PLAN, scores(margins, from, end));
        }
        cache.commit(table, tokens, end - from);
      }
      check(margins, table);
      RowScores before = margins.read(table, PLAN);
      int[][][] kept = new int[3][2][];
      for (int layer = 0; layer < 3; layer++) {
        for (int head = 0; head < 2; head++) {
          kept[layer][head] = everyNth(PRUNED, 2 + layer + head);
        }
      }
      int blocks = table.marginBlocks();
      assertThat(cache.prune(table, new KeptTokens(PRUNED, kept)))
          .isEqualTo(Reservation.Granted.GRANTED);
      margins.replace(table, PLAN, before);
      assertThat(table.marginBlocks()).isLessThan(blocks);
      check(margins, table);
      grow(cache, margins, table, TOKENS + 90);
      margins.write(table, PLAN, scores(margins, TOKENS, TOKENS + 90));
      cache.commit(table, tokens, 90);
      check(margins, table);
      switch (cache.fork(table)) {
        case KvCache.Forked.NoRoom(int wanted, int free) -> throw new AssertionError(wanted);
        case KvCache.Forked.Table(BlockTable fork) -> {
          assertThat(cache.copyMargin(table, fork)).isEqualTo(Reservation.Granted.GRANTED);
          check(margins, fork);
          cache.release(fork);
        }
      }
      margins.cut(table, PLAN, TOKENS + 30);
      grow(cache, margins, table, TOKENS + 90);
      RowScores cut = margins.read(table, PLAN);
      assertThat(cut.get(2, 1, TOKENS + 29)).isEqualTo(score(TOKENS + 29, 5));
      assertThat(cut.get(0, 0, TOKENS + 30)).isInfinite();
      assertThat(cut.get(2, 1, TOKENS + 89)).isInfinite();
      cache.verify();
      cache.release(table);
      assertThat(cache.stats().heldBlocks()).isZero();
    } finally {
      cache.storage().close();
    }
  }

  private static int[] everyNth(int end, int n) {
    int[] positions = new int[(end + n - 1) / n];
    Arrays.setAll(positions, i -> i * n);
    return positions;
  }

  private static void check(MarginScores margins, BlockTable table) {
    RowScores scores = margins.read(table, PLAN);
    for (int layer = 0; layer < 3; layer++) {
      for (int head = 0; head < 2; head++) {
        int first = table.pruned() == null ? 0 : PRUNED;
        for (int i = 0; table.pruned() != null && i < table.pruned().count(layer, head); i++) {
          check(scores, layer, head, table.pruned().position(layer, head, i));
        }
        for (int position = first; position < table.length(); position++) {
          check(scores, layer, head, position);
        }
      }
    }
  }

  private static void check(RowScores scores, int layer, int head, int position) {
    float expected =
        position >= 48 && position < 96
            ? Float.POSITIVE_INFINITY
            : score(position, 2 * layer + head);
    assertThat(scores.get(layer, head, position))
        .as("%d %d %d", layer, head, position)
        .isEqualTo(expected);
  }

  /// With the scores of their prompts, sequences of codes still fit by the ratio of their rows.
  @ParameterizedTest
  @CsvSource({"16, 8, 64", "28, 8, 128", "8, 2, 64"})
  void blocks_besideRows_keepTheRatioOfFormats(int layers, int heads, int dim) {
    int tokens = 16_384;
    KvLayout raw = layout("f16", layers, heads, dim, 64);
    for (String recipe : List.of("int8", "int4+s0", "k8v4+s0")) {
      KvLayout coded = layout(recipe, layers, heads, dim, 64);
      double rows = bytes(raw, tokens, false) / bytes(coded, tokens, false);
      double both = bytes(raw, tokens, true) / bytes(coded, tokens, true);
      assertThat(both / rows).as(recipe).isBetween(0.97, 1.0);
    }
  }

  private static double bytes(KvLayout layout, int tokens, boolean scored) {
    long blocks = layout.blocksFor(tokens, 512);
    blocks += scored ? new ScorePlaces(layout).blocks(null, tokens) : 0;
    return (double) blocks * layout.blockBytes();
  }

  @Test
  void place_layersWithWindows_haveNone() {
    KvLayout full = layout("f16", 2, 2, 16, 16);
    List<LayerKv> mixed =
        List.of(
            full.kv(0),
            new LayerKv(2, 16, 16, 32, full.kv(0).keyFormat(), full.kv(0).valueFormat()));
    ScorePlaces places = new ScorePlaces(KvLayout.of(mixed, 16));
    assertThat(places.width()).isEqualTo(2);
    assertThat(places.heads(1)).isZero();
    assertThat(places.place(null, 10)).isEqualTo(20);
  }

  /// Blocks out of this process's reach, as on a GPU.
  private record Far(KvStorage near) implements KvStorage {
    @Override
    public long blockBytes() {
      return near.blockBytes();
    }

    @Override
    public int blockCount() {
      return near.blockCount();
    }

    @Override
    public void copy(int from, int to) {
      near.copy(from, to);
    }

    @Override
    public @Nullable MemorySegment view(int block) {
      return null;
    }

    @Override
    public void read(int block, MemorySegment into) {
      near.read(block, into);
    }

    @Override
    public void write(int block, MemorySegment from) {
      near.write(block, from);
    }

    @Override
    public long residentBytes() {
      return near.residentBytes();
    }

    @Override
    public void close() {
      near.close();
    }
  }
}
