package io.kvasir.bench;

import io.kvasir.compute.HostBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Memory that was really written: pages never written are one zero page and flatter a result.
final class BenchMemory {
  /// Clears the top bits of each byte, so that 16-bit floats are small normal numbers.
  private static final long MODERATE = 0x3f3f3f3f3f3f3f3fL;

  private BenchMemory() {}

  static MemorySegment random(Arena arena, long bytes) {
    MemorySegment memory = arena.allocate(bytes + 7 & -8L, 64);
    SplittableRandom random = new SplittableRandom(1);
    for (long at = 0; at < memory.byteSize(); at += 8) {
      memory.set(ValueLayout.JAVA_LONG, at, random.nextLong() & MODERATE);
    }
    return memory.asSlice(0, bytes);
  }

  static HostBuffer randomBuffer(int rows, int columns) {
    HostBuffer buffer = HostBuffer.allocate(rows, columns);
    SplittableRandom random = new SplittableRandom(2);
    for (int i = 0; i < rows * columns; i++) {
      buffer.values()[i] = (float) random.nextGaussian();
    }
    return buffer;
  }
}
