package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// What an adaptive policy remembers of each block, cached or not: an entry per content hash.
///
/// An entry lives while the block is cached or a simulated cache holds it ([#retain]), and after
/// that as a *ghost* until as many others as the limit have become ghosts. So a block that comes
/// back is known by its past. Two cached nodes with one hash get an entry each; only the first is
/// found again by the hash.
///
/// Entries are numbered from 0 and reused. An open-addressing table finds them by hash; all arrays
/// grow on demand and never allocate per call after that: about 60 bytes an entry with the fields
/// that other classes keep beside it.
final class BlockHistory {
  static final int NONE = EvictionPolicy.NONE;

  private static final int GHOSTS = 0;
  private static final byte FREE = -1;
  private static final int SMALLEST = 64;

  private final int ghostLimit;
  private final NodeLists ghosts;

  private long[] hash = new long[SMALLEST];
  private int[] uses = new int[SMALLEST];
  private int[] lastUse = new int[SMALLEST];
  private boolean[] inUse = new boolean[SMALLEST];
  private boolean[] indexed = new boolean[SMALLEST];

  /// How many hold the entry, or FREE.
  private byte[] holders = new byte[SMALLEST];

  private int[] free = new int[SMALLEST];
  private int freeCount;
  private int clock;
  private int limit;

  private int[] table = new int[4 * SMALLEST];
  private int mask = table.length - 1;
  private int indexedCount;

  /// A history that keeps at most `ghostLimit` entries that nobody holds.
  BlockHistory(int ghostLimit) {
    this.ghostLimit = ghostLimit;
    ghosts = new NodeLists(1, SMALLEST);
    Arrays.fill(holders, FREE);
    Arrays.fill(table, NONE);
  }

  /// All entries are below this.
  int limit() {
    return limit;
  }

  boolean isLive(int entry) {
    return holders[entry] != FREE;
  }

  /// How often the block was asked for.
  int uses(int entry) {
    return uses[entry];
  }

  /// Whether a sequence uses the block now.
  boolean isInUse(int entry) {
    return inUse[entry];
  }

  void beginUse(int entry) {
    inUse[entry] = true;
    uses[entry]++;
  }

  /// Ends a use and takes its time, one later than the last.
  void endUse(int entry) {
    inUse[entry] = false;
    lastUse[entry] = ++clock;
  }

  /// Uses of any block that ended before now, wrapping around.
  int clock() {
    return clock;
  }

  /// The uses of blocks that ended since this one's did.
  int age(int entry) {
    return Math.max(0, clock - lastUse[entry]);
  }

  /// The entry of the hash, or [#NONE].
  int find(long wanted) {
    int slot = home(wanted);
    while (table[slot] != NONE) {
      if (hash[table[slot]] == wanted) {
        return table[slot];
      }
      slot = (slot + 1) & mask;
    }
    return NONE;
  }

  /// A new entry without holders; it is found by its hash unless another one is.
  int add(long newHash) {
    int entry = freeCount > 0 ? free[--freeCount] : fresh();
    hash[entry] = newHash;
    uses[entry] = 0;
    inUse[entry] = false;
    holders[entry] = 0;
    indexed[entry] = find(newHash) == NONE;
    if (indexed[entry]) {
      index(entry);
    }
    return entry;
  }

  /// Keeps the entry until a [#release] for each call.
  void retain(int entry) {
    if (holders[entry]++ == 0) {
      ghosts.remove(entry);
    }
  }

  /// Without holders the entry becomes the newest ghost; the oldest may be forgotten for it.
  void release(int entry) {
    if (--holders[entry] > 0) {
      return;
    }
    if (!indexed[entry]) {
      forget(entry);
      return;
    }
    ghosts.append(GHOSTS, entry);
    if (ghosts.size(GHOSTS) > ghostLimit) {
      int oldest = ghosts.oldest(GHOSTS);
      ghosts.remove(oldest);
      unindex(oldest);
      forget(oldest);
    }
  }

  private void forget(int entry) {
    holders[entry] = FREE;
    free[freeCount++] = entry;
  }

  private int fresh() {
    if (limit == hash.length) {
      int grown = limit + (limit >> 1);
      hash = Arrays.copyOf(hash, grown);
      uses = Arrays.copyOf(uses, grown);
      lastUse = Arrays.copyOf(lastUse, grown);
      inUse = Arrays.copyOf(inUse, grown);
      indexed = Arrays.copyOf(indexed, grown);
      free = Arrays.copyOf(free, grown);
      holders = Arrays.copyOf(holders, grown);
      Arrays.fill(holders, limit, grown, FREE);
    }
    return limit++;
  }

  private void index(int entry) {
    if (++indexedCount * 2 > table.length) {
      int[] old = table;
      table = new int[old.length * 2];
      mask = table.length - 1;
      Arrays.fill(table, NONE);
      for (int moved : old) {
        if (moved != NONE) {
          place(moved);
        }
      }
    }
    place(entry);
  }

  private void place(int entry) {
    int slot = home(hash[entry]);
    while (table[slot] != NONE) {
      slot = (slot + 1) & mask;
    }
    table[slot] = entry;
  }

  /// Empties the entry's slot and moves later ones of its run up (Knuth, TAOCP 3, algorithm 6.4 R).
  private void unindex(int entry) {
    indexedCount--;
    int hole = home(hash[entry]);
    while (table[hole] != entry) {
      hole = (hole + 1) & mask;
    }
    int scan = (hole + 1) & mask;
    while (table[scan] != NONE) {
      int wanted = home(hash[table[scan]]);
      if (((scan - wanted) & mask) >= ((scan - hole) & mask)) {
        table[hole] = table[scan];
        hole = scan;
      }
      scan = (scan + 1) & mask;
    }
    table[hole] = NONE;
  }

  private int home(long wanted) {
    return (int) ((wanted * 0x9E3779B97F4A7C15L) >>> 32) & mask;
  }
}
