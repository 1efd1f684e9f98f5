package io.kvasir.kvcache;

/// The ids of a fixed number of blocks: which are free and which are taken.
///
/// Free ids form a stack, so the block freed last is used next, while its bytes may still be in a
/// cache of the processor. Who holds a taken block is the business of tables and of the prefix
/// tree. Not thread-safe; owned by one [KvCache].
final class BlockPool {
  private final int[] free;
  private final boolean[] taken;
  private int freeCount;

  BlockPool(int blockCount) {
    free = new int[blockCount];
    taken = new boolean[blockCount];
    freeCount = blockCount;
    for (int i = 0; i < blockCount; i++) {
      free[i] = blockCount - 1 - i;
    }
  }

  int capacity() {
    return free.length;
  }

  int freeCount() {
    return freeCount;
  }

  boolean isTaken(int block) {
    return taken[block];
  }

  /// Takes a free block.
  ///
  /// @throws IllegalStateException where none is free: callers make room first
  int take() {
    if (freeCount == 0) {
      throw new IllegalStateException("no free block among " + free.length);
    }
    int block = free[--freeCount];
    taken[block] = true;
    return block;
  }

  /// Gives a block back.
  void free(int block) {
    if (!taken[block]) {
      throw new IllegalStateException("I1: block " + block + " is freed twice");
    }
    taken[block] = false;
    free[freeCount++] = block;
  }

  /// Checks that free and taken ids partition the pool (I1).
  void verify() {
    boolean[] isFree = new boolean[free.length];
    for (int i = 0; i < freeCount; i++) {
      if (isFree[free[i]]) {
        throw new IllegalStateException("I1: block " + free[i] + " is twice in the free list");
      }
      isFree[free[i]] = true;
    }
    for (int block = 0; block < free.length; block++) {
      if (isFree[block] == taken[block]) {
        throw new IllegalStateException(
            "I1: block %d is %s".formatted(block, taken[block] ? "taken and free" : "lost"));
      }
    }
  }

  @Override
  public String toString() {
    return "BlockPool[free=" + freeCount + "/" + free.length + "]";
  }
}
