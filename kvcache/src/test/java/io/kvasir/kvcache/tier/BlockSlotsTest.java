package io.kvasir.kvcache.tier;

import static io.kvasir.kvcache.contract.TierContract.key;
import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.TierContract;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class BlockSlotsTest {
  @Test
  void add_twice_lowestFreeSlotsComeFirst() {
    BlockSlots slots = new BlockSlots();
    assertThat(slots.add(2)).isZero();
    assertThat(slots.take()).isZero();
    assertThat(slots.add(2)).isEqualTo(2);
    assertThat(List.of(slots.take(), slots.take(), slots.take(), slots.take()))
        .containsExactly(2, 3, 1, BlockSlots.NONE);
  }

  @Test
  void addBusy_someBusy_othersAreFree() {
    BlockSlots slots = new BlockSlots();
    slots.addBusy(5, new int[] {0, 3, 4});
    assertThat(List.of(slots.take(), slots.take(), slots.take()))
        .containsExactly(1, 2, BlockSlots.NONE);
    assertThat(slots.publish(3, key(1))).isTrue();
    assertThat(slots.publishOldest(4, key(2))).isTrue();
    slots.free(0);
    slots.verify();
    assertThat(slots.evict()).isEqualTo(4);
  }

  @Test
  void discard_twoReaders_lastOneGetsTheSlot() {
    BlockSlots slots = new BlockSlots();
    slots.add(1);
    slots.publish(slots.take(), key(1));
    assertThat(slots.pin(key(1))).isZero();
    assertThat(slots.pin(key(1))).isZero();
    assertThat(slots.evict()).isEqualTo(BlockSlots.NONE);
    assertThat(slots.discard(0)).isFalse();
    assertThat(slots.contains(key(1))).isFalse();
    slots.verify();
    assertThat(slots.unpin(0)).isTrue();
    slots.free(0);
    slots.verify();
    assertThat(slots.take()).isZero();
  }

  @Test
  void randomOperations_agreeWithMaps() {
    long seed = TierContract.seed();
    SplittableRandom random = new SplittableRandom(seed);
    BlockSlots slots = new BlockSlots();
    Map<Integer, Integer> held = new HashMap<>();
    List<Integer> busy = new ArrayList<>();
    List<Integer> pinned = new ArrayList<>();
    for (int i = 0; i < 20_000; i++) {
      int number = random.nextInt(60);
      switch (random.nextInt(8)) {
        case 0 -> {
          if (slots.count() < 40) {
            slots.add(random.nextInt(4));
          }
        }
        case 1, 2 -> {
          int slot = random.nextBoolean() ? slots.take() : BlockSlots.NONE;
          if (slot == BlockSlots.NONE) {
            int victim = slots.evict();
            held.values().remove(victim);
            slot = victim;
          }
          if (slot != BlockSlots.NONE) {
            busy.add(slot);
          }
        }
        case 3, 4 -> {
          if (!busy.isEmpty()) {
            int slot = busy.removeLast();
            boolean fresh = !held.containsKey(number);
            assertThat(slots.publish(slot, key(number))).as("seed " + seed).isEqualTo(fresh);
            if (fresh) {
              held.put(number, slot);
            } else {
              slots.free(slot);
            }
          }
        }
        case 5 -> {
          int slot = slots.pin(key(number));
          assertThat(slot).as("seed " + seed).isEqualTo(held.getOrDefault(number, -1));
          if (slot != BlockSlots.NONE) {
            pinned.add(slot);
          }
        }
        case 6 -> {
          if (!pinned.isEmpty()) {
            int slot = pinned.remove(/* index */ random.nextInt(pinned.size()));
            boolean drop = random.nextInt(4) == 0;
            if (drop) {
              held.values().remove(slot);
            }
            boolean last = !pinned.contains(slot);
            boolean ours = drop ? slots.discard(slot) : slots.unpin(slot);
            assertThat(ours).as("seed " + seed).isEqualTo(last && !held.containsValue(slot));
            if (ours) {
              slots.free(slot);
            }
          }
        }
        default -> assertThat(slots.contains(key(number))).isEqualTo(held.containsKey(number));
      }
      slots.verify();
      assertThat(slots.heldCount()).as("seed " + seed).isEqualTo(held.size());
    }
  }
}
