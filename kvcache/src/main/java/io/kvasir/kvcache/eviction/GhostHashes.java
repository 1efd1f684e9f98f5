package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// The content hashes of the blocks forgotten last, the oldest giving way to the newest.
///
/// A ring holds the hashes in order and an open-addressing table of slots finds them; both have a
/// fixed size, so nothing is allocated after the start.
final class GhostHashes {
  private static final int EMPTY = -1;

  private final long[] ring;
  private final boolean[] present;
  private final int[] table;
  private final int mask;
  private int next;

  /// Room for `limit` hashes, at least one.
  GhostHashes(int limit) {
    ring = new long[limit];
    present = new boolean[limit];
    mask = Integer.highestOneBit(Math.max(4, limit)) * 4 - 1;
    table = new int[mask + 1];
    Arrays.fill(table, EMPTY);
  }

  /// Remembers the hash as the newest.
  void add(long hash) {
    remove(hash);
    if (present[next]) {
      remove(ring[next]);
    }
    ring[next] = hash;
    present[next] = true;
    int slot = home(hash);
    while (table[slot] != EMPTY) {
      slot = (slot + 1) & mask;
    }
    table[slot] = next;
    next = next + 1 == ring.length ? 0 : next + 1;
  }

  /// Forgets the hash and tells whether it was there.
  boolean remove(long hash) {
    int slot = home(hash);
    while (table[slot] != EMPTY) {
      if (ring[table[slot]] == hash) {
        present[table[slot]] = false;
        close(slot);
        return true;
      }
      slot = (slot + 1) & mask;
    }
    return false;
  }

  /// Empties a slot and moves later entries of its run up (Knuth, TAOCP 3, algorithm 6.4 R).
  private void close(int slot) {
    int hole = slot;
    int scan = (slot + 1) & mask;
    while (table[scan] != EMPTY) {
      int wanted = home(ring[table[scan]]);
      if (((scan - wanted) & mask) >= ((scan - hole) & mask)) {
        table[hole] = table[scan];
        hole = scan;
      }
      scan = (scan + 1) & mask;
    }
    table[hole] = EMPTY;
  }

  private int home(long hash) {
    long mixed = hash * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32) & mask;
  }
}
