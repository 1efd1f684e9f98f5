package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// A simulated cache of history entries that gives up the leaf with the least [ReuseHazard] rank.
///
/// Its leaves that are not in use stand in lists, one per class and age bin, oldest first. A list's
/// oldest entry moves on when its age passes the bin; the lists are looked after in turns. A bit
/// set in the order of the ranks finds the least one that is not empty. Where a leaf goes, its
/// parent takes its place at the old end, so that one chain is eaten before the next is begun.
final class HazardCache {
  static final int NONE = EvictionPolicy.NONE;

  private static final int CELLS = ReuseHazard.CELLS;
  private static final int LISTS_PER_TICK = 4;

  private final BlockHistory history;
  private final ReuseHazard hazard;
  private final int[] oldest = new int[CELLS];
  private final int[] newest = new int[CELLS];
  private final int[] cellAt = new int[CELLS];
  private final int[] placeOf = new int[CELLS];
  private final long[] occupied = new long[(CELLS + 63) / 64];

  private int[] older = new int[0];
  private int[] newer = new int[0];
  private int[] parent = new int[0];
  private int[] children = new int[0];
  private short[] cellOf = new short[0];
  private boolean[] inside = new boolean[0];
  private int size;
  private int turn;

  HazardCache(BlockHistory history, ReuseHazard hazard) {
    this.history = history;
    this.hazard = hazard;
    Arrays.fill(oldest, NONE);
    Arrays.fill(newest, NONE);
    for (int cell = 0; cell < CELLS; cell++) {
      cellAt[cell] = cell;
    }
    rerank();
  }

  int size() {
    return size;
  }

  boolean contains(int entry) {
    return entry < inside.length && inside[entry];
  }

  /// Puts an entry that is in use in, unless it is. Its parent, or [#NONE], is in and in use.
  void use(int entry, int newParent) {
    reach(entry);
    if (!inside[entry]) {
      inside[entry] = true;
      size++;
      children[entry] = 0;
      parent[entry] = newParent;
      adopt(newParent, 1);
    } else if (parent[entry] != newParent) {
      adopt(parent[entry], -1);
      parent[entry] = newParent;
      adopt(newParent, 1);
    }
    unlist(entry);
  }

  private void adopt(int of, int change) {
    if (of == NONE) {
      return;
    }
    children[of] += change;
    if (change > 0) {
      unlist(of);
    } else if (isFreeLeaf(of)) {
      list(of, cellNow(of), true);
    }
  }

  /// The entry's use has ended.
  void release(int entry) {
    if (isFreeLeaf(entry)) {
      list(entry, cellNow(entry), false);
    }
  }

  /// Lets the least ranked leaf go and returns it, or [#NONE] where all are in use.
  int evict() {
    int entry = least();
    if (entry != NONE) {
      unlist(entry);
      inside[entry] = false;
      size--;
      int up = parent[entry];
      if (up != NONE) {
        children[up]--;
        if (isFreeLeaf(up)) {
          list(up, cellNow(up), true);
        }
      }
    }
    return entry;
  }

  /// Moves the oldest entries of the next few lists on.
  void tick() {
    for (int i = 0; i < LISTS_PER_TICK; i++) {
      turn = turn + 1 == CELLS ? 0 : turn + 1;
      while (oldest[turn] != NONE) {
        int entry = oldest[turn];
        int cell = cellNow(entry);
        if (cell == turn) {
          break;
        }
        unlist(entry);
        list(entry, cell, false);
      }
    }
  }

  /// Takes over new ranks.
  void rerank() {
    // Insertion sort: the order of the last time is nearly right.
    for (int i = 1; i < CELLS; i++) {
      int cell = cellAt[i];
      int at = i;
      while (at > 0 && hazard.rank(cellAt[at - 1]) > hazard.rank(cell)) {
        cellAt[at] = cellAt[at - 1];
        at--;
      }
      cellAt[at] = cell;
    }
    Arrays.fill(occupied, 0);
    for (int place = 0; place < CELLS; place++) {
      placeOf[cellAt[place]] = place;
      if (oldest[cellAt[place]] != NONE) {
        occupied[place >> 6] |= 1L << place;
      }
    }
  }

  private int least() {
    int word = 0;
    while (word < occupied.length) {
      if (occupied[word] == 0) {
        word++;
        continue;
      }
      int listed = cellAt[(word << 6) + Long.numberOfTrailingZeros(occupied[word])];
      int entry = oldest[listed];
      int cell = cellNow(entry);
      if (cell == listed) {
        return entry;
      }
      unlist(entry);
      list(entry, cell, false);
      word = Math.min(word, placeOf[cell] >> 6);
    }
    return NONE;
  }

  private boolean isFreeLeaf(int entry) {
    return inside[entry] && !history.isInUse(entry) && children[entry] == 0;
  }

  private int cellNow(int entry) {
    int age = history.age(entry);
    return ReuseHazard.cell(ReuseHazard.classOf(history.uses(entry)), age);
  }

  private void list(int entry, int cell, boolean atOldEnd) {
    int before = atOldEnd ? NONE : newest[cell];
    int after = atOldEnd ? oldest[cell] : NONE;
    older[entry] = before;
    newer[entry] = after;
    if (before == NONE) {
      oldest[cell] = entry;
    } else {
      newer[before] = entry;
    }
    if (after == NONE) {
      newest[cell] = entry;
    } else {
      older[after] = entry;
    }
    cellOf[entry] = (short) cell;
    occupied[placeOf[cell] >> 6] |= 1L << placeOf[cell];
  }

  private void unlist(int entry) {
    int cell = cellOf[entry];
    if (cell == NONE) {
      return;
    }
    int before = older[entry];
    int after = newer[entry];
    if (before == NONE) {
      oldest[cell] = after;
    } else {
      newer[before] = after;
    }
    if (after == NONE) {
      newest[cell] = before;
    } else {
      older[after] = before;
    }
    cellOf[entry] = NONE;
    if (oldest[cell] == NONE) {
      occupied[placeOf[cell] >> 6] &= ~(1L << placeOf[cell]);
    }
  }

  private void reach(int entry) {
    int old = older.length;
    if (entry < old) {
      return;
    }
    int grown = Math.max(entry + 1, old + (old >> 1));
    older = Arrays.copyOf(older, grown);
    newer = Arrays.copyOf(newer, grown);
    parent = Arrays.copyOf(parent, grown);
    children = Arrays.copyOf(children, grown);
    cellOf = Arrays.copyOf(cellOf, grown);
    Arrays.fill(cellOf, old, grown, (short) NONE);
    inside = Arrays.copyOf(inside, grown);
  }
}
