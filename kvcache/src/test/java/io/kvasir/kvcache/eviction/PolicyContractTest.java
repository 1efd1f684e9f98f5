package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What a cache relies on, of every policy: victims are evictable, all idle blocks are offered in
/// the end, and nothing is remembered of a removed node. [ReplayTree] fails on a bad victim and on
/// a question about a node that is not in the tree.
final class PolicyContractTest {

  static List<String> names() {
    return EvictionPolicies.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void victim_emptyCache_isNone(String name) {
    ReplayTree tree = new ReplayTree(8, EvictionPolicies.named(name));
    assertThat(tree.policy().victim()).isEqualTo(EvictionPolicy.NONE);
  }

  @ParameterizedTest
  @MethodSource("names")
  void victim_blocksInUse_areNeverOffered(String name) {
    ReplayTree tree = new ReplayTree(2, EvictionPolicies.named(name));
    long[] used = {1, 2, 3};
    long[] idle = {1, 2, 9};
    tree.open(used);
    tree.open(idle);
    tree.close(idle);
    tree.shrink();
    assertThat(tree.isCached(9)).isFalse();
    assertThat(tree.size()).isEqualTo(3);
    assertThat(tree.policy().victim()).isEqualTo(EvictionPolicy.NONE);
    tree.close(used);
    tree.shrink();
    assertThat(tree.size()).isEqualTo(2);
  }

  @ParameterizedTest
  @MethodSource("names")
  void victim_untilNone_offersEveryIdleBlock(String name) {
    SplittableRandom random = new SplittableRandom(7);
    ReplayTree tree = new ReplayTree(500, EvictionPolicies.named(name));
    for (int i = 0; i < 300; i++) {
      long[] blocks = request(random);
      tree.open(blocks);
      tree.close(blocks);
      tree.shrink();
    }
    Set<Integer> offered = new HashSet<>();
    int size = tree.size();
    assertThat(size).isPositive();
    for (int i = 0; i < size; i++) {
      int victim = tree.policy().victim();
      tree.remove(victim);
      offered.add(victim);
    }
    assertThat(offered).hasSize(size);
    assertThat(tree.policy().victim()).isEqualTo(EvictionPolicy.NONE);
  }

  @ParameterizedTest
  @MethodSource("names")
  void randomOperations_keepTheContract(String name) {
    for (long seed = 1; seed <= 60; seed++) {
      try {
        operate(name, seed);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(name + " seed " + seed + ": " + e.getMessage(), e);
      }
    }
  }

  private static void operate(String name, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int capacity = 1 + random.nextInt(random.nextBoolean() ? 8 : 200);
    ReplayTree tree = new ReplayTree(capacity, EvictionPolicies.named(name));
    List<long[]> open = new ArrayList<>();
    int most = random.nextInt(1, 12);
    for (int i = 0; i < 1500; i++) {
      tree.advance(random.nextLong(2_000_000_000));
      if (open.size() < most && random.nextBoolean()) {
        long[] blocks = request(random);
        tree.open(blocks);
        open.add(blocks);
      } else if (!open.isEmpty()) {
        tree.close(open.remove(random.nextInt(open.size())));
      }
      if (random.nextInt(50) == 0) {
        int victim = tree.policy().victim();
        if (victim != EvictionPolicy.NONE) {
          tree.remove(victim);
        }
      }
      tree.shrink();
      if (open.isEmpty()) {
        assertThat(tree.size()).isLessThanOrEqualTo(capacity);
      }
    }
    while (!open.isEmpty()) {
      tree.close(open.removeLast());
    }
    tree.shrink();
    assertThat(tree.size()).isLessThanOrEqualTo(capacity);
  }

  /// A walk from one of a few roots; the number of a block is a hash of the walk so far.
  private static long[] request(SplittableRandom random) {
    long[] blocks = new long[1 + random.nextInt(14)];
    long prefix = random.nextInt(5);
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = prefix;
      prefix = prefix * 100 + 7 + random.nextInt(random.nextInt(4) == 0 ? 50 : 2);
      prefix = (prefix ^ (prefix >>> 31)) * 0x9E3779B97F4A7C15L;
    }
    return blocks;
  }
}
