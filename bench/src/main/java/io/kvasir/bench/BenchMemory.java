package io.kvasir.bench;

import io.kvasir.compute.HostBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Memory that was really written: pages never written are one zero page and flatter a result.
final class BenchMemory {
  private static final long MODERATE = 0x3f3f3f3f3f3f3f3fL;
  private static final long NORMAL = 0x2000200020002000L;

  private BenchMemory() {}

  /// Random bytes; floats of 16 and 32 bits that are made of them are normal numbers below 2.
  /// Subnormal ones cost many processors a hundred cycles each, and no model has them.
  static long moderate(SplittableRandom random) {
    return random.nextLong() & MODERATE | NORMAL;
  }

  static MemorySegment random(Arena arena, long bytes) {
    MemorySegment memory = arena.allocate(bytes + 7 & -8L, 64);
    SplittableRandom random = new SplittableRandom(1);
    for (long at = 0; at < memory.byteSize(); at += 8) {
      memory.set(ValueLayout.JAVA_LONG, at, moderate(random));
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
