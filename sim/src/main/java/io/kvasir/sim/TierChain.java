package io.kvasir.sim;

import java.util.Arrays;
import java.util.List;

/// The tiers below the simulated pool. A block that leaves the pool goes to the first tier; what a
/// tier has no room for goes to the next, the least recently used first; what the last one has no
/// room for is gone. A block that is found stays where it was found, as the newest, for loading it
/// copies it.
final class TierChain {
  private final LruSet[] tiers;

  TierChain(List<TierSpec> specs, int distinctBlocks) {
    tiers = new LruSet[specs.size()];
    for (int i = 0; i < tiers.length; i++) {
      tiers[i] = new LruSet(specs.get(i).blocks(), distinctBlocks);
    }
  }

  /// A block leaves the pool.
  void demote(int block) {
    int falling = block;
    for (int i = 0; i < tiers.length && falling >= 0; i++) {
      falling = tiers[i].add(falling);
    }
  }

  /// The first tier that holds the block, or -1. The block becomes that tier's newest.
  int find(int block) {
    for (int i = 0; i < tiers.length; i++) {
      if (tiers[i].contains(block)) {
        tiers[i].add(block);
        return i;
      }
    }
    return -1;
  }

  /// A bounded set of block numbers in the order of their last use, as a ring of links through
  /// arrays; the number behind the last block is the ring's anchor.
  private static final class LruSet {
    private static final int ABSENT = -1;

    private final int capacity;
    private final int anchor;
    private final int[] newer;
    private final int[] older;
    private int size;

    LruSet(int capacity, int distinctBlocks) {
      this.capacity = capacity;
      anchor = distinctBlocks;
      newer = new int[distinctBlocks + 1];
      older = new int[distinctBlocks + 1];
      Arrays.fill(newer, ABSENT);
      newer[anchor] = anchor;
      older[anchor] = anchor;
    }

    boolean contains(int block) {
      return newer[block] != ABSENT;
    }

    /// Adds the block, or renews it, and returns the one that has to go, or -1.
    int add(int block) {
      if (contains(block)) {
        unlink(block);
      }
      int newest = older[anchor];
      newer[newest] = block;
      older[block] = newest;
      newer[block] = anchor;
      older[anchor] = block;
      size++;
      if (size <= capacity) {
        return -1;
      }
      int oldest = newer[anchor];
      unlink(oldest);
      return oldest;
    }

    private void unlink(int block) {
      newer[older[block]] = newer[block];
      older[newer[block]] = older[block];
      newer[block] = ABSENT;
      size--;
    }
  }
}
