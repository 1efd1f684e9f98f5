package io.kvasir.compute;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class PageBoundsTest {
  private static LayerKv layer(int heads, int dim, int window, KvFormat format) {
    return new LayerKv(heads, dim, dim, window, format, format);
  }

  @Test
  void round_anyNumber_isOutwardsAndNear() {
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 1_000_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      float below = PageBounds.number(PageBounds.below(value));
      float above = PageBounds.number(PageBounds.above(value));
      if (Float.isNaN(value)) {
        continue;
      }
      assertThat(below).as("%s", value).isLessThanOrEqualTo(value);
      assertThat(above).as("%s", value).isGreaterThanOrEqualTo(value);
      if (Math.abs(value) > 1e-30f && Math.abs(value) < 1e38f) {
        assertThat(above - below).as("%s", value).isLessThanOrEqualTo(Math.abs(value) / 64);
      }
    }
    assertThat(PageBounds.number(PageBounds.below(0f))).isEqualTo(0f);
    assertThat(PageBounds.number(PageBounds.above(1.5f))).isEqualTo(1.5f);
    assertThat(PageBounds.number(PageBounds.above(Float.NaN))).isNaN();
    assertThat(PageBounds.number(PageBounds.below(Float.NEGATIVE_INFINITY)))
        .isEqualTo(Float.NEGATIVE_INFINITY);
  }

  @Test
  void place_unitsOfAllHeads_areDisjointAndInTheirBlocks() {
    KvLayout layout =
        KvLayout.of(
            List.of(
                layer(3, 64, 0, KvFormat.INT4),
                layer(2, 64, 100, KvFormat.F16),
                layer(2, 32, 0, KvFormat.F16)),
            64);
    PageBounds bounds = new PageBounds(layout);
    KvCache cache =
        new KvCache(new KvCacheConfig(layout, 200), new NullStorage(layout.blockBytes(), 200));
    BlockTable table = cache.open();
    int chunks = 40;
    int blocks = bounds.blocks(chunks * PageBounds.CHUNK);
    assertThat(cache.reserveMargin(table, blocks)).isEqualTo(Reservation.Granted.GRANTED);
    BitSet lines = new BitSet();
    for (int chunk = 0; chunk < chunks; chunk++) {
      for (int layer : new int[] {0, 2}) {
        LayerKv kv = layout.kv(layer);
        for (int head = 0; head < kv.kvHeads(); head++) {
          long offset = bounds.offset(layer, head, chunk);
          int bytes = kv.keyDim() * PageBounds.CHANNEL_BYTES;
          assertThat(offset + bytes).isLessThanOrEqualTo(layout.blockBytes());
          long from = bounds.block(table, layer, head, chunk) * layout.blockBytes() + offset;
          for (long line = from / 64; line < (from + bytes) / 64; line++) {
            assertThat(lines.get((int) line)).isFalse();
            lines.set((int) line);
          }
        }
      }
    }
    assertThat(bounds.blocks(0)).isZero();
    assertThat(bounds.blocks(1)).isEqualTo(bounds.blocks(16));
    cache.verify();
    assertThat(cache.stats().heldBlocks()).isEqualTo(blocks);
    cache.release(table);
    assertThat(cache.stats().freeBlocks()).isEqualTo(200);
  }
}
