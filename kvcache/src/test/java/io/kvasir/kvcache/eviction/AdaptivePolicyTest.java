package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class AdaptivePolicyTest {

  static List<BlockTrace> traces() {
    return List.of(
        BlockTrace.loop(2000, 150, 8),
        BlockTrace.scan(4000, 100, 8, 1),
        BlockTrace.recency(4000, 20, 8, 2),
        BlockTrace.recency(4000, 150, 8, 3),
        BlockTrace.chat(3000, 200, 8, 4),
        BlockTrace.concat(
            BlockTrace.loop(1000, 150, 8),
            BlockTrace.recency(2000, 40, 8, 5),
            BlockTrace.scan(2000, 100, 8, 6),
            BlockTrace.recency(2000, 100, 8, 7)));
  }

  @ParameterizedTest
  @MethodSource("traces")
  void hitRate_anyCapacity_isAtLeast99PercentOfLru(BlockTrace trace) {
    for (int capacity : new int[] {100, 300, 1000, 3000}) {
      double lru = trace.hitRate(LruPolicy::new, capacity);
      double adaptive = trace.hitRate(AdaptivePolicy::new, capacity);
      assertThat(adaptive)
          .as("%s at %d blocks, LRU %.4f", trace.name(), capacity, lru)
          .isGreaterThanOrEqualTo(0.99 * lru);
    }
  }

  @Test
  void hitRate_loopLargerThanTheCache_keepsAPart() {
    BlockTrace trace = BlockTrace.loop(4000, 150, 8);
    assertThat(trace.hitRate(LruPolicy::new, 600)).isZero();
    assertThat(trace.hitRate(AdaptivePolicy::new, 600)).isGreaterThan(0.35);
  }

  @Test
  void hitRate_scanBesideAWorkingSet_keepsTheWorkingSet() {
    BlockTrace trace = BlockTrace.scan(8000, 100, 8, 11);
    double lru = trace.hitRate(LruPolicy::new, 500);
    assertThat(trace.hitRate(AdaptivePolicy::new, 500)).isGreaterThan(1.5 * lru);
  }

  @ParameterizedTest
  @ValueSource(ints = {100, 700, 2500})
  void simulatedLru_hitsExactlyWhatLruHits(int capacity) {
    for (BlockTrace trace : traces()) {
      ReplayTree tree = new ReplayTree(capacity, AdaptivePolicy::new);
      trace.replay(tree);
      long blocks = trace.requests().stream().mapToLong(request -> request.length).sum();
      long expected = Math.round(trace.hitRate(LruPolicy::new, capacity) * blocks);
      AdaptivePolicy policy = (AdaptivePolicy) tree.policy();
      assertThat(policy.duel().lruHits()).as(trace.name()).isEqualTo(expected);
    }
  }

  @Test
  void everyHashEqual_stillWorks() {
    BlockTrace trace = BlockTrace.scan(2000, 50, 8, 12);
    ReplayTree tree = new ReplayTree(300, view -> new AdaptivePolicy(new DegenerateHashes(view)));
    double rate = trace.replay(tree);
    assertThat(rate).isCloseTo(trace.hitRate(LruPolicy::new, 300), within(0.25));
    assertThat(tree.size()).isLessThanOrEqualTo(300);
  }

  /// A tree whose blocks all have the same content hash.
  private record DegenerateHashes(PrefixView tree) implements PrefixView {
    @Override
    public int capacity() {
      return tree.capacity();
    }

    @Override
    public int parent(int node) {
      return tree.parent(node);
    }

    @Override
    public int depth(int node) {
      return tree.depth(node);
    }

    @Override
    public int childCount(int node) {
      return tree.childCount(node);
    }

    @Override
    public boolean isIdle(int node) {
      return tree.isIdle(node);
    }

    @Override
    public String salt(int node) {
      return tree.salt(node);
    }

    @Override
    public long contentHash(int node) {
      return 42;
    }

    @Override
    public int token(int node, int index) {
      return tree.token(node, index);
    }

    @Override
    public long nanoTime() {
      return tree.nanoTime();
    }
  }
}
