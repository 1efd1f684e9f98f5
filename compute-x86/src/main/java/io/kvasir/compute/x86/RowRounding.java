package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rounds rows of floats to bf16 and lays their vectors at equal distances, in machine code. One
/// per thread.
public final class RowRounding {
  private static final int LINE = 64;

  private final Rounding rounding = new Rounding();
  private MemorySegment floats = MemorySegment.NULL;

  /// An argument whose fields are yet to be set.
  public RowRounding() {}

  /// Rounds `count` floats, a multiple of 32.
  ///
  /// @param to where the first vector goes
  /// @param step bytes to the next one
  public void round(float[] from, int at, int count, long to, long step) {
    if (count <= 0 || count % Operands.BF16.lanes() != 0) {
      throw new IllegalArgumentException(count + " floats are no vectors of bf16");
    }
    if (floats.byteSize() < (long) count * Float.BYTES) {
      floats = Arena.ofAuto().allocate((long) count * Float.BYTES, LINE);
    }
    MemorySegment.copy(from, at, floats, ValueLayout.JAVA_FLOAT, 0, count);
    rounding.round(floats.address(), to, count, step);
  }
}
