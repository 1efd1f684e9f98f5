package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// The structures behind the policies against plain ones of the JDK.
final class EvictionStructuresTest {
  private static final long SEED = 20;

  @Test
  void ghostHashes_randomOperations_areAFifoSet() {
    for (int limit : new int[] {1, 2, 7, 100}) {
      SplittableRandom random = new SplittableRandom(SEED);
      GhostHashes ghosts = new GhostHashes(limit);
      // A removed hash leaves a hole that still takes its turn.
      ArrayDeque<Long> ring = new ArrayDeque<>();
      for (int i = 0; i < 5000; i++) {
        long hash = random.nextLong(3L * limit);
        boolean known = ring.contains(hash);
        if (random.nextInt(3) == 0) {
          assertThat(ghosts.remove(hash)).as("seed %d, step %d", SEED, i).isEqualTo(known);
          replace(ring, hash);
        } else {
          ghosts.add(hash);
          replace(ring, hash);
          ring.addLast(hash);
          if (ring.size() > limit) {
            ring.removeFirst();
          }
        }
      }
    }
  }

  /// Puts a hole (-1) where the hash was.
  private static void replace(ArrayDeque<Long> ring, long hash) {
    List<Long> all = new ArrayList<>(ring);
    ring.clear();
    for (long one : all) {
      ring.addLast(one == hash ? -1 : one);
    }
  }

  @Test
  void leafHeap_randomOperations_givesTheLeastKey() {
    SplittableRandom random = new SplittableRandom(SEED);
    LeafHeap heap = new LeafHeap(2);
    Map<Integer, Double> model = new HashMap<>();
    for (int i = 0; i < 20_000; i++) {
      int node = random.nextInt(60);
      if (random.nextBoolean()) {
        if (!model.containsKey(node)) {
          double key = random.nextInt(40);
          heap.setKey(node, key);
          heap.add(node);
          model.put(node, key);
        }
      } else {
        heap.remove(node);
        model.remove(node);
      }
      assertThat(heap.size()).isEqualTo(model.size());
      if (!model.isEmpty()) {
        double least = model.values().stream().min(Comparator.naturalOrder()).orElseThrow();
        assertThat(heap.key(heap.least())).as("seed %d, step %d", SEED, i).isEqualTo(least);
      }
    }
  }

  @Test
  void frequencySketch_neverBelowTheCountAndSeldomFarAbove() {
    FrequencySketch sketch = new FrequencySketch(1000);
    for (int hash = 0; hash < 500; hash++) {
      for (int i = 0; i < hash % 8; i++) {
        sketch.increment(hash);
      }
    }
    int above = 0;
    for (int hash = 0; hash < 500; hash++) {
      assertThat(sketch.frequency(hash)).isGreaterThanOrEqualTo(hash % 8);
      above += sketch.frequency(hash) > hash % 8 ? 1 : 0;
    }
    assertThat(above).isLessThan(75);
  }

  @Test
  void frequencySketch_afterManyEvents_halves() {
    FrequencySketch sketch = new FrequencySketch(100);
    for (int i = 0; i < 12; i++) {
      sketch.increment(7);
    }
    for (int i = 0; i < 1000; i++) {
      sketch.increment(1000 + i % 200);
    }
    assertThat(sketch.frequency(7)).isBetween(6, 9);
  }

  @Test
  void blockHistory_ghostsBeyondTheLimit_areForgottenOldestFirst() {
    BlockHistory history = new BlockHistory(50);
    for (long hash = 0; hash < 5000; hash++) {
      int entry = history.add(hash);
      history.retain(entry);
      history.beginUse(entry);
      history.endUse(entry);
      history.release(entry);
    }
    for (long hash = 0; hash < 5000; hash++) {
      assertThat(history.find(hash) >= 0).as("hash %d", hash).isEqualTo(hash >= 4950);
    }
    assertThat(history.limit()).isLessThan(60);
  }

  @Test
  void blockHistory_heldEntries_outliveAnyNumberOfGhosts() {
    BlockHistory history = new BlockHistory(10);
    int held = history.add(-1);
    history.retain(held);
    int twin = history.add(-1);
    history.retain(twin);
    assertThat(history.find(-1)).isEqualTo(held).isNotEqualTo(twin);
    for (long hash = 0; hash < 1000; hash++) {
      int entry = history.add(hash);
      history.retain(entry);
      history.release(entry);
    }
    assertThat(history.find(-1)).isEqualTo(held);
    history.release(twin);
    assertThat(history.isLive(twin)).isFalse();
  }

  @Test
  void reuseHazard_withoutData_ranksAsLru() {
    ReuseHazard hazard = new ReuseHazard();
    for (int bin = 1; bin < ReuseHazard.BINS - 1; bin++) {
      assertThat(hazard.rank(bin)).as("bin %d", bin).isLessThanOrEqualTo(hazard.rank(bin - 1));
    }
  }

  @Test
  void reuseHazard_reusesAtOneAge_ranksBlocksBeforeItAboveThoseAfterIt() {
    ReuseHazard hazard = new ReuseHazard();
    boolean learned = false;
    while (!learned) {
      hazard.unused(1, 0, 1000);
      hazard.reused(1, 1000);
      hazard.unused(2, 0, 4000);
      learned = hazard.tick();
    }
    assertThat(hazard.rank(ReuseHazard.cell(1, 700)))
        .isGreaterThan(hazard.rank(ReuseHazard.cell(1, 10)))
        .isGreaterThan(3 * hazard.rank(ReuseHazard.cell(1, 4000)));
    assertThat(hazard.rank(ReuseHazard.cell(1, 10)))
        .isGreaterThan(hazard.rank(ReuseHazard.cell(2, 10)));
  }

  @Test
  void reuseHazard_bins_growWithAge() {
    int last = 0;
    for (int age = 1; age > 0 && age < 1 << 30; age += Math.max(1, age / 5)) {
      int bin = ReuseHazard.bin(age);
      assertThat(bin).isBetween(last, last + 1);
      last = bin;
    }
    assertThat(ReuseHazard.bin(Integer.MAX_VALUE)).isEqualTo(ReuseHazard.BINS - 1);
  }
}
