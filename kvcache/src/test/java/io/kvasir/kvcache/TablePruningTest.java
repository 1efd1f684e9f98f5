package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TablePruningTest {
  private static final int S = 32;
  private static final int DIM = 64;

  static List<KvFormat> rowFormats() {
    return KvFormat.ALL.stream()
        .filter(format -> format.tileTokens(PlaneKind.KEYS) == 1)
        .filter(format -> format.tileTokens(PlaneKind.VALUES) == 1)
        .toList();
  }

  private static LayerKv layer(int heads, int window, KvFormat format) {
    return new LayerKv(heads, DIM, DIM, window, format, format);
  }

  private static KvCache cache(KvLayout layout, int blocks) {
    return new KvCache(
        new KvCacheConfig(layout, blocks), new HostStorage(layout.blockBytes(), blocks));
  }

  private static int[] prompt(int length) {
    int[] prompt = new int[length + 1];
    Arrays.setAll(prompt, i -> i % 97);
    return prompt;
  }

  private static BlockTable filled(KvCache cache, int length) {
    int[] prompt = prompt(length);
    BlockTable table = cache.lookup("", prompt);
    cache.reserve(table, length - table.length());
    cache.commit(table, prompt, length - table.length());
    return table;
  }

  /// The same positions for every head of every full layer.
  private static KeptTokens kept(KvLayout layout, int tokens, int... positions) {
    int[][][] all = new int[layout.layerCount()][][];
    for (int layer = 0; layer < all.length; layer++) {
      if (layout.groupOf(layer).isFull()) {
        all[layer] = new int[layout.kv(layer).kvHeads()][];
        Arrays.fill(all[layer], positions);
      }
    }
    return new KeptTokens(tokens, all);
  }

  private static int[] every(int step, int tokens) {
    int[] positions = new int[(tokens + step - 1) / step];
    Arrays.setAll(positions, i -> i * step);
    return positions;
  }

  private static float[] row(KvPlane plane, KvFormat format, int slot) {
    float[] row = new float[plane.dim()];
    format.decode(plane, slot, row, 0);
    return row;
  }

  private static KvPlane plane(KvStorage storage, int block, long offset, PlaneKind kind, int dim) {
    MemorySegment bytes = Objects.requireNonNull(storage.view(block));
    return new KvPlane(bytes, offset, S, dim, kind);
  }

  /// Fills a table's blocks with random rows, so that every row tells where it is from.
  private static void fill(KvCache cache, BlockTable table, SplittableRandom random) {
    float[] row = new float[DIM];
    for (int layer = 0; layer < cache.layout().layerCount(); layer++) {
      LayerGroup group = cache.layout().groupOf(layer);
      for (int p = table.firstBlock(group.index()) * S; p < table.length(); p++) {
        int block = table.block(group.index(), p / S);
        for (int head = 0; head < cache.layout().kv(layer).kvHeads(); head++) {
          for (PlaneKind kind : List.of(PlaneKind.KEYS, PlaneKind.VALUES)) {
            for (int i = 0; i < DIM; i++) {
              row[i] = (float) random.nextDouble(-3, 3);
            }
            boolean keys = kind == PlaneKind.KEYS;
            long at =
                keys
                    ? cache.layout().keyOffset(layer, head)
                    : cache.layout().valueOffset(layer, head);
            LayerKv kv = cache.layout().kv(layer);
            KvFormat format = keys ? kv.keyFormat() : kv.valueFormat();
            format.encode(row, 0, plane(cache.storage(), block, at, kind, DIM), p % S);
          }
        }
      }
    }
  }

  /// The decoded rows of a live table: `[layer][head][position]`, key and value behind each other.
  private static float[][][][] rows(KvCache cache, BlockTable table) {
    KvLayout layout = cache.layout();
    float[][][][] rows = new float[layout.layerCount()][][][];
    for (int layer = 0; layer < rows.length; layer++) {
      LayerGroup group = layout.groupOf(layer);
      rows[layer] = new float[layout.kv(layer).kvHeads()][table.length()][];
      for (int head = 0; head < rows[layer].length; head++) {
        for (int p = table.firstBlock(group.index()) * S; p < table.length(); p++) {
          int block = table.block(group.index(), p / S);
          rows[layer][head][p] =
              both(
                  cache,
                  layout.kv(layer),
                  new Place(
                      block,
                      layout.keyOffset(layer, head),
                      layout.valueOffset(layer, head),
                      p % S));
        }
      }
    }
    return rows;
  }

  private record Place(int block, long key, long value, int slot) {}

  private static float[] both(KvCache cache, LayerKv kv, Place at) {
    KvPlane keys = plane(cache.storage(), at.block(), at.key(), PlaneKind.KEYS, DIM);
    KvPlane values = plane(cache.storage(), at.block(), at.value(), PlaneKind.VALUES, DIM);
    float[] row = Arrays.copyOf(row(keys, kv.keyFormat(), at.slot()), 2 * DIM);
    System.arraycopy(row(values, kv.valueFormat(), at.slot()), 0, row, DIM, DIM);
    return row;
  }

  private static byte[] bytes(KvCache cache, BlockTable table) {
    long size = cache.layout().blockBytes();
    MemorySegment all = MemorySegment.ofArray(new byte[(int) (size * table.blockCount())]);
    long at = 0;
    for (LayerGroup group : cache.layout().groups()) {
      for (int i = table.firstBlock(group.index()); i < table.endBlock(group.index()); i++) {
        MemorySegment.copy(view(cache, table.block(group.index(), i)), 0, all, at, size);
        at += size;
      }
    }
    return all.toArray(ValueLayout.JAVA_BYTE);
  }

  private static MemorySegment view(KvCache cache, int block) {
    return Objects.requireNonNull(cache.storage().view(block));
  }

  private static int[][][] random(
      SplittableRandom random, KvLayout layout, int tokens, @Nullable PrunedTokens left) {
    int[][][] kept = new int[layout.layerCount()][][];
    for (int layer = 0; layer < kept.length; layer++) {
      LayerGroup group = layout.groupOf(layer);
      kept[layer] = group.isFull() ? new int[layout.kv(layer).kvHeads()][] : new int[0][];
      for (int head = 0; head < kept[layer].length; head++) {
        List<Integer> live = new ArrayList<>();
        for (int i = 0; left != null && i < left.count(layer, head); i++) {
          live.add(left.position(layer, head, i));
        }
        for (int p = left == null ? 0 : left.tokens(); p < tokens; p++) {
          live.add(p);
        }
        double share = random.nextDouble();
        kept[layer][head] =
            live.stream().filter(p -> random.nextDouble() < share).mapToInt(p -> p).toArray();
      }
    }
    return kept;
  }

  @ParameterizedTest
  @MethodSource("rowFormats")
  void prune_twice_keepsEveryRowBitForBitAndLeavesSharedBlocks(KvFormat format) {
    for (long seed = 0; seed < 4; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<LayerKv> layers =
          List.of(
              layer(3, 0, format),
              layer(2, 40, format),
              layer(3, 0, format),
              layer(2, 0, KvFormat.BF16),
              layer(1, 0, format));
      KvLayout layout = KvLayout.of(layers, S);
      FarStorage storage = new FarStorage(new HostStorage(layout.blockBytes(), 200));
      KvCache cache = new KvCache(new KvCacheConfig(layout, 200), storage);
      BlockTable table = filled(cache, 200 + random.nextInt(40));
      fill(cache, table, random);
      BlockTable other = filled(cache, table.length() - table.length() % S);
      float[][][][] rows = rows(cache, table);
      byte[] shared = bytes(cache, other);
      int tokens = 96;
      KeptTokens first = new KeptTokens(tokens, random(random, cache.layout(), tokens, null));
      storage.isFar = seed % 2 == 1;
      assertThat(cache.prune(table, first)).isInstanceOf(Reservation.Granted.class);
      storage.isFar = false;
      assertKept(cache, table, first, rows, "seed " + seed);
      KeptTokens second =
          new KeptTokens(tokens + 64, random(random, cache.layout(), tokens + 64, table.pruned()));
      storage.isFar = seed % 2 == 1;
      assertThat(cache.prune(table, second)).isInstanceOf(Reservation.Granted.class);
      storage.isFar = false;
      assertKept(cache, table, second, rows, "seed " + seed);
      assertThat(bytes(cache, other)).isEqualTo(shared);
      cache.verify();
      cache.release(table);
      cache.release(other);
      cache.reset();
      assertThat(cache.stats().freeBlocks()).isEqualTo(200);
      cache.close();
    }
  }

  private static void assertKept(
      KvCache cache, BlockTable table, KeptTokens kept, float[][][][] rows, String seed) {
    KvLayout layout = cache.layout();
    PrunedTokens pruned = Objects.requireNonNull(table.pruned());
    assertThat(pruned.tokens()).isEqualTo(kept.tokens());
    for (int layer = 0; layer < layout.layerCount(); layer++) {
      int[][] ofLayer = Objects.requireNonNull(kept.positions()[layer]);
      for (int head = 0; head < ofLayer.length; head++) {
        assertThat(pruned.count(layer, head)).isEqualTo(ofLayer[head].length);
        for (int i = 0; i < ofLayer[head].length; i++) {
          assertThat(pruned.position(layer, head, i)).isEqualTo(ofLayer[head][i]);
          int page = i / S;
          Place place =
              new Place(
                  pruned.block(layer, head, page),
                  pruned.keyOffset(layer, head, page),
                  pruned.valueOffset(layer, head, page),
                  i % S);
          assertThat(both(cache, layout.kv(layer), place))
              .as("%s, layer %d, head %d, row %d", seed, layer, head, i)
              .isEqualTo(rows[layer][head][ofLayer[head][i]]);
        }
      }
    }
    float[][][][] live = rows(cache, table);
    for (int layer = 0; layer < live.length; layer++) {
      int from = table.firstBlock(layout.groupOf(layer).index()) * S;
      for (int head = 0; head < live[layer].length; head++) {
        for (int p = from; p < table.length(); p++) {
          assertThat(live[layer][head][p]).as(seed).isEqualTo(rows[layer][head][p]);
        }
      }
    }
  }

  @Test
  void margin_ofATableThatIsPrunedRewoundAndForked_staysItsOwn() {
    KvLayout layout =
        KvLayout.of(List.of(layer(2, 0, KvFormat.F16), layer(1, 70, KvFormat.F16)), S);
    KvCache cache = cache(layout, 60);
    BlockTable table = filled(cache, 10 * S + 3);
    assertThat(cache.reserveMargin(table, 3)).isEqualTo(Reservation.Granted.GRANTED);
    assertThat(cache.reserveMargin(table, 2)).isEqualTo(Reservation.Granted.GRANTED);
    assertThat(table.marginBlocks()).isEqualTo(3);
    int held = cache.stats().heldBlocks();
    assertThat(cache.reserveMargin(table, 61)).isInstanceOf(Reservation.Insufficient.class);
    assertThat(cache.stats().heldBlocks()).isEqualTo(held);
    BlockTable fork = ((KvCache.Forked.Table) cache.fork(table)).table();
    assertThat(fork.marginBlocks()).isZero();
    cache.truncate(table, 5 * S + 1);
    assertThat(cache.prune(table, kept(layout, 4 * S, every(2, 4 * S))))
        .isInstanceOf(Reservation.Granted.class);
    assertThat(table.marginBlocks()).isEqualTo(3);
    cache.verify();
    cache.view(CacheView.Limits.DEFAULT);
    cache.release(fork);
    cache.dropMargin(table);
    assertThat(table.marginBlocks()).isZero();
    cache.verify();
    cache.release(table);
    cache.reset();
    assertThat(cache.stats().freeBlocks()).isEqualTo(60);
    cache.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4, 8})
  void prune_toAShare_freesTheRest(int step) {
    KvLayout layout = KvLayout.of(List.of(layer(2, 0, KvFormat.F16)), S);
    KvCache cache = cache(layout, 300);
    BlockTable table = filled(cache, 128 * S);
    assertThat(table.blockCount()).isEqualTo(128);
    cache.prune(table, kept(layout, 128 * S, every(step, 128 * S)));
    assertThat(table.blockCount()).isEqualTo(128 / step);
    assertThat(cache.stats().heldBlocks()).isEqualTo(128 / step);
    assertThat(cache.stats().cachedBlocks()).isEqualTo(128);
    assertThat(cache.availableBlocks()).isEqualTo(300 - 128 / step);
    // The unpruned beginning is still found, and by nobody the pruned one.
    BlockTable again = cache.lookup("", prompt(128 * S));
    assertThat(again.length()).isEqualTo(128 * S);
    assertThat(again.pruned()).isNull();
    cache.verify();
  }

  @Test
  void prune_privateTable_freesItsBlocksAtOnce() {
    KvLayout layout = KvLayout.of(List.of(layer(2, 0, KvFormat.F16)), S);
    KvCache cache = cache(layout, 40);
    BlockTable table = cache.open();
    cache.reserve(table, 20 * S + 5);
    cache.commit(table, 20 * S + 5);
    cache.prune(table, kept(layout, 20 * S, every(4, 20 * S)));
    assertThat(cache.stats().freeBlocks()).isEqualTo(40 - 5 - 1);
    cache.release(table);
    assertThat(cache.stats().freeBlocks()).isEqualTo(40);
    cache.verify();
  }

  @Test
  void prune_noRoom_changesNothing() {
    KvLayout layout = KvLayout.of(List.of(layer(2, 0, KvFormat.F16)), S);
    KvCache cache = cache(layout, 11);
    BlockTable table = filled(cache, 10 * S + 1);
    BlockTable sharing = filled(cache, 10 * S);
    KeptTokens kept = kept(layout, 10 * S, every(2, 10 * S));
    assertThat(cache.prune(table, kept)).isEqualTo(new Reservation.Insufficient(5, 0));
    assertThat(table.pruned()).isNull();
    assertThat(table.blockCount()).isEqualTo(11);
    cache.verify();
    // Of blocks that nobody else holds there is room enough in their own place.
    cache.release(sharing);
    assertThat(cache.prune(table, kept)).isInstanceOf(Reservation.Granted.class);
    assertThat(table.blockCount()).isEqualTo(5 + 1);
    cache.verify();
  }

  @Test
  void prune_poolFull_keepsRowsBitForBit() {
    KvLayout layout =
        KvLayout.of(List.of(layer(2, 0, KvFormat.INT4), layer(1, 70, KvFormat.F16)), S);
    SplittableRandom random = new SplittableRandom(5);
    KvCache cache = cache(layout, 34);
    BlockTable table = filled(cache, 8 * S + 1);
    cache.reserve(table, 3 * S);
    while (cache.reserve(table, table.reserved() - table.length() + S)
        instanceof Reservation.Granted) {
      // Until nothing is free.
    }
    assertThat(cache.availableBlocks()).isLessThan(layout.groups().size());
    fill(cache, table, random);
    float[][][][] rows = rows(cache, table);
    KeptTokens first = new KeptTokens(6 * S, random(random, layout, 6 * S, null));
    assertThat(cache.prune(table, first)).isInstanceOf(Reservation.Granted.class);
    assertKept(cache, table, first, rows, "pool full");
    cache.verify();
  }

  @Test
  void prune_exactFirstRows_areNotKeptTwice() {
    LayerKv kv = new LayerKv(2, DIM, DIM, 0, KvFormat.F16, KvFormat.F16, new ExactRows(64, 64));
    KvLayout layout = KvLayout.of(List.of(kv), S);
    KvCache cache = cache(layout, 100);
    BlockTable table = filled(cache, 10 * S + 3);
    LayerGroup sinks = Objects.requireNonNull(layout.exactGroup(0, LayerGroup.Role.SINKS));
    LayerGroup tail = Objects.requireNonNull(layout.exactGroup(0, LayerGroup.Role.TAIL));
    int first = table.firstBlock(tail.index());
    cache.prune(table, kept(layout, 10 * S, every(1, 10 * S)));
    PrunedTokens pruned = Objects.requireNonNull(table.pruned());
    assertThat(pruned.count(0, 1)).isEqualTo(10 * S - 64);
    assertThat(pruned.position(0, 1, 0)).isEqualTo(64);
    assertThat(table.firstBlock(sinks.index())).isZero();
    assertThat(table.endBlock(sinks.index())).isEqualTo(2);
    assertThat(table.firstBlock(tail.index())).isEqualTo(first);
    assertThat(table.firstBlock(0)).isEqualTo(10);
    cache.verify();
  }

  @Test
  void prune_latentRows_keepsThem() {
    LayerKv latent = new LayerKv(1, 96, 0, 0, KvFormat.BF16, KvFormat.BF16);
    KvLayout layout = KvLayout.of(List.of(latent, latent), S);
    KvCache cache = cache(layout, 20);
    BlockTable table = filled(cache, 4 * S);
    float[] row = new float[96];
    for (int p = 0; p < 4 * S; p++) {
      Arrays.fill(row, p);
      long at = layout.keyOffset(1, 0);
      KvPlane plane = plane(cache.storage(), table.block(0, p / S), at, PlaneKind.LATENT, 96);
      KvFormat.BF16.encode(row, 0, plane, p % S);
    }
    cache.prune(table, kept(layout, 4 * S, 7, 33, 100));
    PrunedTokens pruned = Objects.requireNonNull(table.pruned());
    assertThat(pruned.valueOffset(1, 0, 0)).isEqualTo(pruned.keyOffset(1, 0, 0));
    KvPlane plane =
        plane(
            cache.storage(),
            pruned.block(1, 0, 0),
            pruned.keyOffset(1, 0, 0),
            PlaneKind.LATENT,
            96);
    assertThat(row(plane, KvFormat.BF16, 2)).containsOnly(100f);
  }

  @Test
  void truncate_behindThePruned_rewindsAndFurtherBackDropsAll() {
    KvLayout layout = KvLayout.of(List.of(layer(1, 0, KvFormat.F32)), S);
    KvCache cache = cache(layout, 40);
    BlockTable table = filled(cache, 10 * S + 9);
    cache.prune(table, kept(layout, 4 * S, 1, 2, 3));
    assertThat(cache.truncate(table, 6 * S + 1)).isEqualTo(6 * S + 1);
    assertThat(table.blockCount()).isEqualTo(1 + 3);
    assertThat(cache.truncate(table, 4 * S)).isEqualTo(4 * S);
    assertThat(Objects.requireNonNull(table.pruned()).count(0, 0)).isEqualTo(3);
    assertThat(cache.truncate(table, 4 * S - 1)).isZero();
    assertThat(table.pruned()).isNull();
    assertThat(table.blockCount()).isZero();
    cache.reserve(table, 20);
    cache.commit(table, 20);
    assertThatThrownBy(() -> cache.pin(table, Duration.ZERO, 1))
        .isInstanceOf(IllegalArgumentException.class);
    cache.verify();
  }

  @Test
  void fork_prunedTable_sharesPagesUntilTheLastEnds() {
    KvLayout layout = KvLayout.of(List.of(layer(1, 0, KvFormat.F32)), S);
    KvCache cache = cache(layout, 40);
    BlockTable table = filled(cache, 10 * S + 9);
    cache.prune(table, kept(layout, 10 * S, every(2, 10 * S)));
    KvCache.Forked forked = cache.fork(table);
    assertThat(forked).isInstanceOf(KvCache.Forked.Table.class);
    BlockTable fork = ((KvCache.Forked.Table) forked).table();
    assertThat(fork.pruned()).isSameAs(table.pruned());
    assertThat(fork.block(0, 10)).isNotEqualTo(table.block(0, 10));
    assertThat(cache.stats().heldBlocks()).isEqualTo(5 + 2);
    assertThat(cache.stats().sharedBlocks()).isEqualTo(5);
    cache.release(table);
    assertThat(cache.stats().heldBlocks()).isEqualTo(5 + 1);
    cache.verify();
    cache.release(fork);
    assertThat(cache.stats().heldBlocks()).isZero();
    cache.verify();
  }

  @Test
  void prune_impossiblePositions_namesThem() {
    KvLayout layout = KvLayout.of(List.of(layer(1, 0, KvFormat.F32)), S);
    KvCache cache = cache(layout, 40);
    BlockTable table = filled(cache, 4 * S + 9);
    assertThatThrownBy(() -> cache.prune(table, kept(layout, 33, 1))).hasMessageContaining("33");
    assertThatThrownBy(() -> cache.prune(table, kept(layout, 5 * S, 1)))
        .hasMessageContaining("160");
    assertThatThrownBy(() -> cache.prune(table, kept(layout, S, 3, 3)))
        .hasMessageContaining("3 after 3");
    assertThatThrownBy(() -> cache.prune(table, kept(layout, S, -1)))
        .hasMessageContaining("-1 after -1");
    assertThatThrownBy(() -> cache.prune(table, kept(layout, S, S))).hasMessageContaining("32");
    assertThatThrownBy(() -> cache.prune(table, new KeptTokens(S, new int[0][][])))
        .hasMessageContaining("layer 0 has 1 kv heads");
    cache.prune(table, kept(layout, S, 4, 9));
    assertThatThrownBy(() -> cache.prune(table, kept(layout, 2 * S, 4, 10)))
        .hasMessageContaining("position 10 of head 0 of layer 0 is gone");
    assertThatThrownBy(() -> cache.prune(table, new KeptTokens(0, new int[1][][])))
        .hasMessageContaining("from 32 to 137: 0");
    cache.verify();
  }
}
