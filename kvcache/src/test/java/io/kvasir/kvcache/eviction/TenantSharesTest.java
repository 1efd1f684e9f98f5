package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class TenantSharesTest {
  private static final int BLOCKS = 20;

  private static KvCache cache(EvictionPolicy.Factory policy) {
    LayerKv kv = new LayerKv(1, 16, 16, 0, KvFormat.F16, KvFormat.F16);
    KvLayout layout = KvLayout.of(List.of(kv), 16);
    return new KvCache(
        new KvCacheConfig(layout, BLOCKS).withPolicy(policy),
        new NullStorage(layout.blockBytes(), BLOCKS));
  }

  private static EvictionPolicy.Factory shares(Map<String, Double> weights) {
    return TenantShares.of(LruPolicy::new, salt -> salt.substring(0, 1), weights);
  }

  private static int[] prompt(int seed, int blocks) {
    int[] tokens = new int[16 * blocks + 1];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = 1000 * seed + i;
    }
    return tokens;
  }

  /// Computes a prompt and lets go of it. @return how many of its tokens were cached
  private static int use(KvCache cache, String salt, int[] prompt) {
    BlockTable table = cache.lookup(salt, prompt);
    int found = table.length();
    assertThat(cache.reserve(table, prompt.length - found)).isInstanceOf(Reservation.Granted.class);
    cache.commit(table, prompt, prompt.length - found);
    cache.release(table);
    cache.verify();
    return found;
  }

  @Test
  void victim_oneTenantFloods_leavesWhatOthersCached() {
    for (boolean shared : List.of(true, false)) {
      try (KvCache cache = cache(shared ? shares(Map.of()) : LruPolicy::new)) {
        use(cache, "a", prompt(1, 5));
        for (int i = 0; i < 50; i++) {
          use(cache, i % 2 == 0 ? "b1" : "b2", prompt(10 + i, 4));
        }
        assertThat(use(cache, "a", prompt(1, 5))).isEqualTo(shared ? 80 : 0);
      }
    }
  }

  @Test
  void victim_bothFlood_splitsByWeight() {
    try (KvCache cache = cache(shares(Map.of("a", 3.0)))) {
      for (int i = 0; i < 50; i++) {
        use(cache, "a", prompt(100 + i, 1));
        use(cache, "b", prompt(200 + i, 1));
      }
      int kept = 0;
      for (int i = 49; i >= 0; i--) {
        kept += use(cache, "a", prompt(100 + i, 1)) > 0 ? 1 : 0;
      }
      // Of 20 blocks one is the room that a prompt is computed in.
      assertThat(kept).isBetween(13, 15);
    }
  }

  @Test
  void victim_oneTenantAlone_hasAllTheRoom() {
    try (KvCache cache = cache(shares(Map.of()))) {
      use(cache, "b", prompt(1, 1));
      for (int i = 0; i < 18; i++) {
        use(cache, "a", prompt(100 + i, 1));
      }
      for (int i = 0; i < 18; i++) {
        assertThat(use(cache, "a", prompt(100 + i, 1))).isPositive();
      }
    }
  }

  @Test
  void onInsert_moreTenantsThanOrders_shareTheLast() {
    try (KvCache cache = cache(TenantShares.of(LruPolicy::new, salt -> salt, Map.of()))) {
      for (int i = 0; i < 3 * TenantShares.MOST_TENANTS; i++) {
        use(cache, "tenant " + i, prompt(i, 2));
      }
      assertThat(cache.stats().cachedBlocks()).isEqualTo(BLOCKS - 1);
    }
  }
}
