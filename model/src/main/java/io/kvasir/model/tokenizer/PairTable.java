package io.kvasir.model.tokenizer;

import java.util.Arrays;
import java.util.SplittableRandom;

/// The merges of a byte-pair encoding: which two symbols join to which third, and in what order.
///
/// An open-addressing hash table from (left, right) to rank and result. The hash is seeded at
/// random so that no file can be made to collide. Built by one thread, then immutable.
final class PairTable {
  private static final long FREE = -1;

  private final long seed = new SplittableRandom().nextLong();
  private long[] keys;
  private int[] ranks;
  private int[] results;
  private int size;

  PairTable(int expectedSize) {
    int capacity = Integer.highestOneBit(Math.clamp(expectedSize, 16, 1 << 27)) << 2;
    this.keys = new long[capacity];
    this.ranks = new int[capacity];
    this.results = new int[capacity];
    Arrays.fill(keys, FREE);
  }

  /// Adds a merge.
  ///
  /// @param keepFirst whether the rank of a pair that is there already stays
  void put(int left, int right, int rank, int result, boolean keepFirst) {
    if (2 * size >= keys.length) {
      grow();
    }
    long key = (long) left << 32 | right;
    int slot = slot(key);
    if (keys[slot] == FREE) {
      size++;
    } else if (keepFirst) {
      return;
    }
    keys[slot] = key;
    ranks[slot] = rank;
    results[slot] = result;
  }

  private void grow() {
    long[] oldKeys = keys;
    int[] oldRanks = ranks;
    int[] oldResults = results;
    keys = new long[2 * oldKeys.length];
    ranks = new int[keys.length];
    results = new int[keys.length];
    Arrays.fill(keys, FREE);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != FREE) {
        int slot = slot(oldKeys[i]);
        keys[slot] = oldKeys[i];
        ranks[slot] = oldRanks[i];
        results[slot] = oldResults[i];
      }
    }
  }

  /// Where the pair is, for [#rank] and [#result]; -1 where these two never merge.
  int find(int left, int right) {
    int slot = slot((long) left << 32 | right);
    return keys[slot] == FREE ? -1 : slot;
  }

  int rank(int slot) {
    return ranks[slot];
  }

  int result(int slot) {
    return results[slot];
  }

  private int slot(long key) {
    long mixed = (key ^ seed) * 0xFF51AFD7ED558CCDL;
    mixed = (mixed ^ mixed >>> 32) * 0xC4CEB9FE1A85EC53L;
    int mask = keys.length - 1;
    int slot = (int) (mixed >>> 32) & mask;
    while (keys[slot] != FREE && keys[slot] != key) {
      slot = slot + 1 & mask;
    }
    return slot;
  }
}
