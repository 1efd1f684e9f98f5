package io.kvasir.kvcache.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/// The tests of every [Tier]. Blocks have 4 KiB here; what a tier does with large ones is its own
/// tests' business.
public interface TierContract {
  int BLOCK = 4096;

  /// An empty tier for blocks of [#BLOCK] bytes.
  ///
  /// @param blocks how many it must be able to hold
  Tier openTier(int blocks) throws Exception;

  @Test
  default void load_storedBlock_givesItsBytes() throws Exception {
    try (Tier tier = openTier(4)) {
      assertThat(tier.store(key(1), block(1))).isTrue();
      assertThat(tier.contains(key(1))).isTrue();
      assertLoads(tier, 1);
      assertThat(tier.stats().hits()).isEqualTo(1);
      assertThat(tier.stats().stored()).isEqualTo(1);
      tier.verify();
    }
  }

  @Test
  default void load_unknownBlock_isAMiss() throws Exception {
    try (Tier tier = openTier(4)) {
      assertThat(tier.contains(key(1))).isFalse();
      assertThat(load(tier, List.of(key(1)))).isZero();
      assertThat(tier.stats().misses()).isEqualTo(1);
      assertThat(tier.stats().failures()).isZero();
    }
  }

  @Test
  default void load_manyBlocks_stopsAtTheFirstThatIsMissing() throws Exception {
    try (Tier tier = openTier(8)) {
      for (int number : new int[] {1, 2, 4}) {
        assertThat(tier.store(key(number), block(number))).isTrue();
      }
      List<BlockKey> keys = List.of(key(1), key(2), key(3), key(4));
      assertThat(tier.leading(keys)).isEqualTo(2);
      assertThat(load(tier, keys)).isEqualTo(2);
      assertThat(load(tier, List.of())).isZero();
      assertThat(tier.leading(List.of())).isZero();
    }
  }

  @Test
  default void store_sameKeyTwice_keepsOneBlock() throws Exception {
    try (Tier tier = openTier(4)) {
      assertThat(tier.store(key(1), block(1))).isTrue();
      assertThat(tier.store(key(1), block(1))).isTrue();
      assertLoads(tier, 1);
      tier.verify();
    }
  }

  @Test
  default void store_heapMemory_isTheSame() throws Exception {
    try (Tier tier = openTier(4)) {
      MemorySegment heap = MemorySegment.ofArray(new byte[BLOCK]);
      heap.copyFrom(block(1));
      assertThat(tier.store(key(1), heap)).isTrue();
      heap.fill((byte) 0);
      assertThat(tier.load(List.of(key(1)), List.of(heap))).isEqualTo(1);
      assertThat(BlockOracle.isBlockOf(key(1), heap)).isTrue();
    }
  }

  @Test
  default void storeAndLoad_segmentOfAnotherSize_isRefused() throws Exception {
    try (Tier tier = openTier(4)) {
      MemorySegment small = BlockOracle.empty(BLOCK - 64);
      assertThatThrownBy(() -> tier.store(key(1), small))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("4032");
      tier.store(key(1), block(1));
      assertThatThrownBy(() -> tier.load(List.of(key(1)), List.of(small)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  default void close_twice_thenNothingIsHeldAndNothingThrown() throws Exception {
    Tier tier = openTier(4);
    tier.store(key(1), block(1));
    tier.close();
    tier.close();
    assertThat(tier.store(key(2), block(2))).isFalse();
    assertThat(load(tier, List.of(key(1)))).isZero();
  }

  @Test
  default void interruptedThread_losesNoBlockAndStaysInterrupted() throws Exception {
    try (Tier tier = openTier(4)) {
      Thread.currentThread().interrupt();
      boolean stored = tier.store(key(1), block(1));
      assertThat(Thread.interrupted()).isTrue();
      assertThat(stored || tier.store(key(1), block(1))).isTrue();
      assertLoads(tier, 1);
    }
  }

  @Test
  default void randomOperations_enoughRoom_agreeWithASet() throws Exception {
    long seed = seed();
    SplittableRandom random = new SplittableRandom(seed);
    int numbers = 64;
    Set<Integer> model = new HashSet<>();
    try (Tier tier = openTier(numbers)) {
      for (int i = 0; i < 1_500; i++) {
        String where = "seed " + seed + " operation " + i;
        int number = random.nextInt(numbers);
        switch (random.nextInt(6)) {
          case 0, 1 -> {
            assertThat(tier.store(key(number), block(number))).as(where).isTrue();
            model.add(number);
          }
          case 2 -> assertThat(tier.contains(key(number))).isEqualTo(model.contains(number));
          default -> {
            List<Integer> asked = new ArrayList<>();
            for (int n = random.nextInt(12); n >= 0; n--) {
              asked.add(random.nextInt(4) > 0 ? any(model, random) : random.nextInt(numbers));
            }
            int expected = 0;
            while (expected < asked.size() && model.contains(asked.get(expected))) {
              expected++;
            }
            List<BlockKey> keys = asked.stream().map(BlockOracle::key).toList();
            assertThat(tier.leading(keys)).as(where).isEqualTo(expected);
            assertThat(load(tier, keys)).as(where).isEqualTo(expected);
          }
        }
      }
      tier.verify();
      assertThat(tier.stats().failures()).isZero();
    }
  }

  @Test
  default void concurrentCallers_tooLittleRoom_neverGetAWrongBlock() throws Exception {
    long seed = seed();
    try (Tier tier = openTier(16);
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        SplittableRandom random = new SplittableRandom(seed + thread);
        running.add(threads.submit(() -> storeAndLoad(tier, random, 1_000, 48)));
      }
      for (Future<?> each : running) {
        each.get();
      }
      tier.verify();
      assertThat(tier.stats().failures()).as("seed " + seed).isZero();
      assertThat(tier.stats().hits()).as("seed " + seed).isPositive();
    }
  }

  /// Random stores and loads of `numbers` blocks; every block read is compared.
  static void storeAndLoad(Tier tier, SplittableRandom random, int operations, int numbers) {
    for (int i = 0; i < operations; i++) {
      int number = random.nextInt(numbers);
      if (random.nextBoolean()) {
        tier.store(key(number), block(number));
      } else {
        load(tier, List.of(key(number), key(random.nextInt(numbers))));
      }
    }
  }

  /// Loads and compares what was loaded.
  ///
  /// @return how many were loaded
  static int load(Tier tier, List<BlockKey> keys) {
    List<MemorySegment> into = new ArrayList<>();
    for (int i = 0; i < keys.size(); i++) {
      into.add(BlockOracle.empty(BLOCK));
    }
    int loaded = tier.load(keys, into);
    for (int i = 0; i < loaded; i++) {
      assertThat(BlockOracle.isBlockOf(keys.get(i), into.get(i))).as("%s", keys.get(i)).isTrue();
    }
    return loaded;
  }

  static void assertLoads(Tier tier, int number) {
    assertThat(load(tier, List.of(key(number)))).as("block " + number).isEqualTo(1);
  }

  static BlockKey key(int number) {
    return BlockOracle.key(number);
  }

  static MemorySegment block(int number) {
    return BlockOracle.block(key(number), BLOCK);
  }

  /// A fresh seed, or that of `-Dkvasir.test.seed`.
  static long seed() {
    String given = System.getProperty("kvasir.test.seed", "");
    return given.isEmpty() ? System.nanoTime() : Long.parseLong(given);
  }

  private static int any(Set<Integer> model, SplittableRandom random) {
    if (model.isEmpty()) {
      return 0;
    }
    return model.stream().skip(random.nextInt(model.size())).findFirst().orElseThrow();
  }
}
