package io.kvasir.kvcache.tier;

import java.util.Arrays;

/// Which block is in which of a tier's equal slots, and which slot is next to be given up: a hash
/// table and a list from least to most recently used, in arrays, without objects per block.
///
/// ```
/// FREE --take--> BUSY --publish--> HELD --evict--> BUSY --free--> FREE
///                                  HELD --pin--> HELD, not in the list --unpin--> HELD, newest
///                                  HELD --discard--> DOOMED while others read, then BUSY
///                BUSY --retire--> RETIRED, never used again
/// ```
///
/// A BUSY slot belongs to the one caller that got it, so bytes are copied without a lock held.
/// Every method is short and synchronized.
final class BlockSlots {
  static final int NONE = -1;

  private static final byte FREE = 0;
  private static final byte BUSY = 1;
  private static final byte HELD = 2;
  private static final byte DOOMED = 3;
  private static final byte RETIRED = 4;

  private long[] high = new long[0];
  private long[] low = new long[0];
  private byte[] state = new byte[0];
  private int[] pins = new int[0];

  /// Neighbours in the list of recency; `newer` also links the free slots.
  private int[] older = new int[0];

  private int[] newer = new int[0];

  /// The next slot in the same bucket.
  private int[] chain = new int[0];

  private int[] buckets = {NONE};
  private int oldest = NONE;
  private int newest = NONE;
  private int firstFree = NONE;
  private int freeCount;
  private int heldCount;

  /// Adds free slots behind the present ones; the lowest is taken first.
  ///
  /// @return the number of the first added slot
  synchronized int add(int count) {
    int from = state.length;
    int to = Math.addExact(from, count);
    high = Arrays.copyOf(high, to);
    low = Arrays.copyOf(low, to);
    state = Arrays.copyOf(state, to);
    pins = Arrays.copyOf(pins, to);
    older = Arrays.copyOf(older, to);
    newer = Arrays.copyOf(newer, to);
    chain = Arrays.copyOf(chain, to);
    for (int slot = to - 1; slot >= from; slot--) {
      newer[slot] = firstFree;
      firstFree = slot;
    }
    freeCount += count;
    if (to > buckets.length) {
      rehash();
    }
    return from;
  }

  /// As [#add], with some of the new slots BUSY instead of free.
  ///
  /// @param busy their numbers, ascending
  synchronized int addBusy(int count, int[] busy) {
    int from = add(count);
    int before = NONE;
    int next = 0;
    // The added slots come first in the free list, in order.
    for (int slot = from, end = from + count; slot < end; slot++) {
      if (next < busy.length && busy[next] == slot) {
        next++;
        state[slot] = BUSY;
        freeCount--;
        if (before == NONE) {
          firstFree = newer[slot];
        } else {
          newer[before] = newer[slot];
        }
      } else {
        before = slot;
      }
    }
    return from;
  }

  synchronized boolean contains(BlockKey key) {
    return find(key) != NONE;
  }

  /// Makes the block the most recently used.
  ///
  /// @return its slot or [#NONE]
  synchronized int touch(BlockKey key) {
    int slot = find(key);
    if (slot != NONE && pins[slot] == 0) {
      unlink(slot);
      linkNewest(slot);
    }
    return slot;
  }

  /// Keeps the block in its slot until [#unpin] or [#discard].
  ///
  /// @return its slot or [#NONE]
  synchronized int pin(BlockKey key) {
    int slot = find(key);
    if (slot != NONE && pins[slot]++ == 0) {
      unlink(slot);
    }
    return slot;
  }

  /// Ends a [#pin]; the block is the most recently used now.
  ///
  /// @return whether the block was discarded meanwhile and the slot is the caller's, BUSY
  synchronized boolean unpin(int slot) {
    if (--pins[slot] > 0) {
      return false;
    }
    if (state[slot] == DOOMED) {
      state[slot] = BUSY;
      return true;
    }
    linkNewest(slot);
    return false;
  }

  /// Ends a [#pin] and forgets the block.
  ///
  /// @return whether the slot is the caller's now, BUSY; else the last reader gets it
  synchronized boolean discard(int slot) {
    if (state[slot] == HELD) {
      unmap(slot);
      state[slot] = DOOMED;
    }
    if (--pins[slot] > 0) {
      return false;
    }
    state[slot] = BUSY;
    return true;
  }

  /// Takes a free slot.
  ///
  /// @return a BUSY slot or [#NONE]
  synchronized int take() {
    int slot = firstFree;
    if (slot != NONE) {
      firstFree = newer[slot];
      freeCount--;
      state[slot] = BUSY;
    }
    return slot;
  }

  /// Forgets the least recently used block that nobody reads.
  ///
  /// @return its slot, BUSY, or [#NONE]
  synchronized int evict() {
    int slot = oldest;
    if (slot != NONE) {
      unlink(slot);
      unmap(slot);
      state[slot] = BUSY;
    }
    return slot;
  }

  /// Says that a BUSY slot holds the block now, as the most recently used.
  ///
  /// @return false where another slot holds it already; then the slot stays BUSY
  synchronized boolean publish(int slot, BlockKey key) {
    if (!map(slot, key)) {
      return false;
    }
    linkNewest(slot);
    return true;
  }

  /// As [#publish], as the least recently used.
  synchronized boolean publishOldest(int slot, BlockKey key) {
    if (!map(slot, key)) {
      return false;
    }
    newer[slot] = oldest;
    older[slot] = NONE;
    if (oldest == NONE) {
      newest = slot;
    } else {
      older[oldest] = slot;
    }
    oldest = slot;
    return true;
  }

  /// Gives a BUSY slot back.
  synchronized void free(int slot) {
    state[slot] = FREE;
    newer[slot] = firstFree;
    firstFree = slot;
    freeCount++;
  }

  /// Takes a BUSY slot out of use.
  synchronized void retire(int slot) {
    state[slot] = RETIRED;
  }

  synchronized int count() {
    return state.length;
  }

  synchronized int heldCount() {
    return heldCount;
  }

  synchronized boolean hasFree() {
    return firstFree != NONE;
  }

  synchronized boolean isHeld(int slot) {
    return state[slot] == HELD;
  }

  synchronized boolean isFree(int slot) {
    return state[slot] == FREE;
  }

  synchronized boolean holds(int slot, BlockKey key) {
    return state[slot] == HELD && high[slot] == key.high() && low[slot] == key.low();
  }

  /// Proves that every slot is in exactly one place.
  ///
  /// @throws IllegalStateException naming the slot that is not
  synchronized void verify() {
    int listed = 0;
    for (int slot = oldest, before = NONE; slot != NONE; before = slot, slot = newer[slot]) {
      expect(state[slot] == HELD && pins[slot] == 0, slot, "is in the list of recency");
      expect(older[slot] == before, slot, "has a wrong neighbour");
      expect(++listed <= heldCount, slot, "is in a circle of recency");
    }
    int free = 0;
    for (int slot = firstFree; slot != NONE; slot = newer[slot]) {
      expect(state[slot] == FREE && ++free <= freeCount, slot, "is in the list of free slots");
    }
    int held = 0;
    int pinned = 0;
    for (int slot = 0; slot < state.length; slot++) {
      boolean found = find(new BlockKey(high[slot], low[slot])) == slot;
      expect(state[slot] != HELD || found, slot, "holds a block that is not found by its key");
      expect(pins[slot] == 0 || state[slot] == HELD || state[slot] == DOOMED, slot, "is pinned");
      held += state[slot] == HELD ? 1 : 0;
      pinned += state[slot] == HELD && pins[slot] > 0 ? 1 : 0;
    }
    expect(held == heldCount && listed + pinned == held, held, "is not the number of held slots");
    expect(free == freeCount, free, "is not the number of free slots");
  }

  private void expect(boolean holds, int slot, String otherwise) {
    if (!holds) {
      String where = slot >= 0 && slot < state.length ? " (state " + state[slot] + ")" : "";
      throw new IllegalStateException("slot " + slot + where + " " + otherwise);
    }
  }

  private boolean map(int slot, BlockKey key) {
    if (find(key) != NONE) {
      return false;
    }
    high[slot] = key.high();
    low[slot] = key.low();
    state[slot] = HELD;
    int bucket = bucket(key.high(), key.low());
    chain[slot] = buckets[bucket];
    buckets[bucket] = slot;
    heldCount++;
    return true;
  }

  private void unmap(int slot) {
    int bucket = bucket(high[slot], low[slot]);
    int at = buckets[bucket];
    if (at == slot) {
      buckets[bucket] = chain[slot];
    } else {
      while (chain[at] != slot) {
        at = chain[at];
      }
      chain[at] = chain[slot];
    }
    heldCount--;
  }

  private int find(BlockKey key) {
    int slot = buckets[bucket(key.high(), key.low())];
    while (slot != NONE && (high[slot] != key.high() || low[slot] != key.low())) {
      slot = chain[slot];
    }
    return slot;
  }

  /// Keys are digests already; the multiplication is for callers with simpler ones.
  private int bucket(long high, long low) {
    long mixed = (high ^ Long.rotateLeft(low, 32)) * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32) & buckets.length - 1;
  }

  private void rehash() {
    buckets = new int[Integer.highestOneBit(Math.max(8, state.length)) * 2];
    Arrays.fill(buckets, NONE);
    for (int slot = 0; slot < state.length; slot++) {
      if (state[slot] == HELD) {
        int bucket = bucket(high[slot], low[slot]);
        chain[slot] = buckets[bucket];
        buckets[bucket] = slot;
      }
    }
  }

  private void linkNewest(int slot) {
    older[slot] = newest;
    newer[slot] = NONE;
    if (newest == NONE) {
      oldest = slot;
    } else {
      newer[newest] = slot;
    }
    newest = slot;
  }

  private void unlink(int slot) {
    int before = older[slot];
    int after = newer[slot];
    if (before == NONE) {
      oldest = after;
    } else {
      newer[before] = after;
    }
    if (after == NONE) {
      newest = before;
    } else {
      older[after] = before;
    }
  }
}
