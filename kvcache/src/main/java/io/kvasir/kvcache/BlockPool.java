package io.kvasir.kvcache;

import java.util.Arrays;

/// The ids of a fixed number of blocks: which are free, and how many tables hold each that is not.
///
/// Free ids form a stack, so the block freed last is used next, while its bytes may still be in a
/// cache of the processor. Not thread-safe; owned by one [KvCache].
final class BlockPool {
  private final int[] free;
  private final int[] references;
  private int freeCount;

  BlockPool(int blockCount) {
    if (blockCount < 0) {
      throw new IllegalArgumentException("block count must not be negative: " + blockCount);
    }
    free = new int[blockCount];
    references = new int[blockCount];
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

  int references(int block) {
    return references[block];
  }

  /// Takes a free block and gives it its first reference.
  ///
  /// @throws IllegalStateException where none is free: callers ask [#freeCount] first
  int take() {
    if (freeCount == 0) {
      throw new IllegalStateException("no free block among " + free.length);
    }
    int block = free[--freeCount];
    references[block] = 1;
    return block;
  }

  /// Adds a reference to a block in use.
  void retain(int block) {
    if (references[block] == 0) {
      throw new IllegalStateException("block " + block + " is free and cannot be shared");
    }
    references[block]++;
  }

  /// Drops a reference; the block is free when it was the last.
  void release(int block) {
    if (references[block] == 0) {
      throw new IllegalStateException("block " + block + " is released twice");
    }
    if (--references[block] == 0) {
      free[freeCount++] = block;
    }
  }

  /// Checks that free and used ids partition the pool (I1) and that free ids carry no reference
  /// (I3).
  void verify() {
    boolean[] isFree = new boolean[free.length];
    for (int i = 0; i < freeCount; i++) {
      if (isFree[free[i]]) {
        throw new IllegalStateException("I1: block " + free[i] + " is twice in the free list");
      }
      isFree[free[i]] = true;
    }
    for (int block = 0; block < free.length; block++) {
      if (isFree[block] != (references[block] == 0)) {
        throw new IllegalStateException(
            "I3: block %d has %d references and is %sin the free list"
                .formatted(block, references[block], isFree[block] ? "" : "not "));
      }
    }
  }

  @Override
  public String toString() {
    return "BlockPool[free=" + freeCount + "/" + free.length + "] " + Arrays.toString(references);
  }
}
