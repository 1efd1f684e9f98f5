package io.kvasir.compute.cpu;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Random matrices in any number format: random bytes, block by block, drawn again until they
/// decode to moderate numbers; large matrices repeat some blocks.
final class RandomWeights {
  private static final float LARGEST = 64f;
  private static final int TRIES = 10_000;

  private static final int DISTINCT_BLOCKS = 64;

  private RandomWeights() {}

  /// A tensor in native memory that starts two bytes off any alignment.
  static Tensor of(TensorType type, int rows, int columns, SplittableRandom random) {
    long bytes = type.bytes((long) rows * columns);
    MemorySegment memory = Arena.ofAuto().allocate(bytes + 2, 64).asSlice(2, bytes);
    for (long at = 0; at < bytes; at += type.blockBytes()) {
      if (at < (long) DISTINCT_BLOCKS * type.blockBytes()) {
        fillBlock(type, memory.asSlice(at, type.blockBytes()), random);
      } else {
        long other = random.nextInt(DISTINCT_BLOCKS) * (long) type.blockBytes();
        MemorySegment.copy(memory, other, memory, at, type.blockBytes());
      }
    }
    return new Tensor("w", type, new long[] {rows, columns}, memory);
  }

  private static void fillBlock(TensorType type, MemorySegment block, SplittableRandom random) {
    float[] values = new float[type.blockElements()];
    for (int attempt = 0; attempt < TRIES; attempt++) {
      for (long i = 0; i < type.blockBytes(); i++) {
        block.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
      }
      type.codec().decode(block, 0, values, 0, values.length);
      if (moderate(values)) {
        return;
      }
    }
    block.fill((byte) 0);
  }

  private static boolean moderate(float[] values) {
    for (float value : values) {
      if (!(Math.abs(value) <= LARGEST)) {
        return false;
      }
    }
    return true;
  }
}
