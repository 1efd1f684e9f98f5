package io.kvasir.kvcache.contract;

import io.kvasir.kvcache.tier.BlockKey;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Blocks whose bytes follow from their key, so that a wrong block is always noticed.
public final class BlockOracle {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private BlockOracle() {}

  /// A key that differs from that of every other number, in both halves.
  public static BlockKey key(long number) {
    SplittableRandom random = new SplittableRandom(number);
    return new BlockKey(random.nextLong(), random.nextLong());
  }

  /// The block of a key, in memory that is freed when it is garbage.
  ///
  /// @param bytes a multiple of 8
  public static MemorySegment block(BlockKey key, long bytes) {
    MemorySegment block = empty(bytes);
    fill(key, block);
    return block;
  }

  /// Zeros, in memory that is freed when it is garbage.
  public static MemorySegment empty(long bytes) {
    return Arena.ofAuto().allocate(bytes, 64);
  }

  /// Overwrites the segment with the key's bytes.
  public static void fill(BlockKey key, MemorySegment block) {
    SplittableRandom random = new SplittableRandom(key.high() * 31 + key.low());
    for (long at = 0; at < block.byteSize(); at += 8) {
      block.set(WORD, at, random.nextLong());
    }
  }

  /// Whether the bytes are exactly the key's.
  public static boolean isBlockOf(BlockKey key, MemorySegment block) {
    SplittableRandom random = new SplittableRandom(key.high() * 31 + key.low());
    for (long at = 0; at < block.byteSize(); at += 8) {
      if (block.get(WORD, at) != random.nextLong()) {
        return false;
      }
    }
    return true;
  }
}
