package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.OffloadConfig;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierStats;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Blocks come back from a tier only where that is expected to be faster than computing them.
@Timeout(30)
final class PromotionCostTest {
  private static final long NANOS_PER_BLOCK = 1_000_000;

  /// A tier that is known to take a millisecond for a block.
  private static final class SlowTier implements Tier {
    private final MapTier inner = new MapTier(true, 0);
    private final AtomicLong hits = new AtomicLong();

    @Override
    public String name() {
      return "slow";
    }

    @Override
    public boolean contains(BlockKey key) {
      return inner.contains(key);
    }

    @Override
    public boolean store(BlockKey key, MemorySegment bytes) {
      return inner.store(key, bytes);
    }

    @Override
    public int load(List<BlockKey> keys, List<MemorySegment> into) {
      int loaded = inner.load(keys, into);
      hits.addAndGet(loaded);
      return loaded;
    }

    @Override
    public TierStats stats() {
      long blocks = inner.stats().blocks();
      long seen = 1_000 + hits.get();
      return new TierStats(blocks, 0, 0, seen, 0, 0, 0, 0, seen * NANOS_PER_BLOCK, 0);
    }

    @Override
    public void verify() {}

    @Override
    public void close() {}
  }

  /// Behaviour 28.
  @Test
  void promote_computingIsFaster_bringsNothingBack() {
    LayerKv layer = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    KvLayout layout = KvLayout.of(List.of(layer), 16);
    HostStorage storage = new HostStorage(layout.blockBytes(), 20);
    SlowTier tier = new SlowTier();
    Offloader offloader =
        new Offloader(List.of(tier), storage, new OffloadConfig("cost", 1 << 20, 0, 1));
    KvCache cache = new KvCache(new KvCacheConfig(layout, 20), storage, offloader);
    int[] prompt = new int[161];
    Arrays.setAll(prompt, i -> i);
    BlockTable first = cache.lookup("", prompt);
    cache.reserve(first, 161);
    cache.commit(first, prompt, 161);
    cache.release(first);
    while (!cache.settle() || tier.stats().blocks() < 10) {
      Thread.onSpinWait();
    }
    cache.reset();

    assertThat(gained(cache, prompt, NANOS_PER_BLOCK / 16 - 1)).isZero();
    assertThat(tier.hits.get()).as("nothing was read").isZero();
    assertThat(Objects.requireNonNull(cache.offloadStats()).recomputed()).isEqualTo(1);
    assertThat(gained(cache, prompt, NANOS_PER_BLOCK / 16 + 1)).isEqualTo(160);
    assertThat(tier.hits.get()).isEqualTo(10);
    cache.verify();
    cache.close();
  }

  private static int gained(KvCache cache, int[] prompt, long computeNanosPerToken) {
    BlockTable table = cache.lookup("", prompt);
    assertThat(table.length()).isZero();
    Promotion promotion =
        Objects.requireNonNull(cache.promote(table, prompt, computeNanosPerToken, () -> {}));
    while (!promotion.isSettled()) {
      cache.settle();
      Thread.onSpinWait();
    }
    cache.release(table);
    return promotion.gainedTokens();
  }
}
