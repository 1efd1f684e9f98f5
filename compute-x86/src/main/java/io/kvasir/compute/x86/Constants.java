package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Numbers that kernels read: all 65,536 halves as floats, by their bits, and some vectors.
///
/// Looking a half up takes one load and a load that fills a vector, where converting it takes three
/// instructions on the two ports that multiply and shuffle. The scales of a model are a few
/// thousand different ones, so their lines stay in the caches.
final class Constants {
  private static final int HALVES = 1 << 16;
  private static final int VECTOR = 64;
  private static final int FIRST = HALVES * Float.BYTES;

  /// `0 .. 15` as floats.
  static final int CODES = FIRST;

  /// `-8 .. 7` as floats.
  static final int CENTRED_CODES = FIRST + VECTOR;

  /// Bytes of 15.
  static final int NIBBLES = FIRST + 2 * VECTOR;

  /// Bytes of 48.
  static final int TOP_BITS = FIRST + 3 * VECTOR;

  /// Bytes of 32.
  static final int HALF_RANGE = FIRST + 4 * VECTOR;

  /// 4 in the first sixteen 16-bit lanes, 2 in the others.
  static final int SHIFTS_4_2 = FIRST + 5 * VECTOR;

  /// 0 in the first sixteen 16-bit lanes, 2 in the others.
  static final int SHIFTS_0_2 = FIRST + 6 * VECTOR;

  /// 4 in all 16-bit lanes.
  static final int SHIFTS_4 = FIRST + 7 * VECTOR;

  private static final MemorySegment MEMORY = fill();

  private Constants() {}

  static long address() {
    return MEMORY.address();
  }

  private static MemorySegment fill() {
    MemorySegment m = Arena.global().allocate(FIRST + 8L * VECTOR, VECTOR);
    for (int bits = 0; bits < HALVES; bits++) {
      m.setAtIndex(ValueLayout.JAVA_FLOAT, bits, Float.float16ToFloat((short) bits));
    }
    for (int i = 0; i < 16; i++) {
      m.set(ValueLayout.JAVA_FLOAT, CODES + 4L * i, i);
      m.set(ValueLayout.JAVA_FLOAT, CENTRED_CODES + 4L * i, i - 8);
    }
    m.asSlice(NIBBLES, VECTOR).fill((byte) 15);
    m.asSlice(TOP_BITS, VECTOR).fill((byte) 48);
    m.asSlice(HALF_RANGE, VECTOR).fill((byte) 32);
    for (int i = 0; i < 32; i++) {
      m.set(ValueLayout.JAVA_SHORT, SHIFTS_4_2 + 2L * i, (short) (i < 16 ? 4 : 2));
      m.set(ValueLayout.JAVA_SHORT, SHIFTS_0_2 + 2L * i, (short) (i < 16 ? 0 : 2));
      m.set(ValueLayout.JAVA_SHORT, SHIFTS_4 + 2L * i, (short) 4);
    }
    return m;
  }
}
