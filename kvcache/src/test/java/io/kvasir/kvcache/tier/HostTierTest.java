package io.kvasir.kvcache.tier;

import static io.kvasir.kvcache.contract.TierContract.BLOCK;
import static io.kvasir.kvcache.contract.TierContract.assertLoads;
import static io.kvasir.kvcache.contract.TierContract.block;
import static io.kvasir.kvcache.contract.TierContract.key;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.contract.TierContract;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class HostTierTest implements TierContract {
  @Override
  public Tier openTier(int blocks) {
    return new HostTier(BLOCK, (long) blocks * BLOCK, true);
  }

  @Test
  void store_full_evictsTheLeastRecentlyUsed() {
    long seed = TierContract.seed();
    SplittableRandom random = new SplittableRandom(seed);
    Map<Integer, Boolean> model = new LinkedHashMap<>(16, 0.75f, true);
    try (HostTier tier = new HostTier(BLOCK, 10L * BLOCK + 100, false)) {
      for (int i = 0; i < 2_000; i++) {
        int number = random.nextInt(20);
        if (random.nextBoolean()) {
          assertThat(tier.store(key(number), block(number))).isTrue();
          model.put(number, true);
          if (model.size() > 10) {
            model.remove(model.keySet().iterator().next());
          }
        } else {
          int expected = model.get(number) == null ? 0 : 1;
          assertThat(TierContract.load(tier, List.of(key(number))))
              .as("seed " + seed + " operation " + i)
              .isEqualTo(expected);
        }
        assertThat(tier.stats().blocks()).isEqualTo(model.size());
      }
      tier.verify();
      assertThat(tier.stats().bytes()).isEqualTo(10L * BLOCK);
      assertThat(tier.stats().capacityBytes()).isEqualTo(10L * BLOCK);
    }
  }

  @Test
  void load_blockChangedInMemory_isAMissWithChecksums() {
    try (HostTier tier = new HostTier(BLOCK, 2L * BLOCK, true)) {
      MemorySegment source = block(1);
      tier.store(key(1), source);
      tier.bytesOf(0).set(ValueLayout.JAVA_BYTE, 77, (byte) 1);
      tier.bytesOf(0).set(ValueLayout.JAVA_BYTE, 78, (byte) 1);
      assertThat(TierContract.load(tier, List.of(key(1)))).isZero();
      assertThat(tier.stats().failures()).isEqualTo(1);
      assertThat(tier.contains(key(1))).isFalse();
      tier.verify();
      tier.store(key(1), source);
      assertLoads(tier, 1);
    }
  }

  @Test
  void open_budgetBelowOneBlock_saysSo() {
    assertThatThrownBy(() -> new HostTier(BLOCK, 100, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("100 bytes of host memory do not hold a block of 4096 bytes");
  }
}
