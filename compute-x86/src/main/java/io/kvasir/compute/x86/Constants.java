package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Numbers that kernels read: all 65,536 halves as floats, by their bits, all scales of MXFP4, and
/// some vectors.
///
/// Looking a half up takes one load and a load that fills a vector, where converting it takes three
/// instructions on the two ports that multiply and shuffle. The scales of a model are a few
/// thousand different ones, so their lines stay in the caches.
final class Constants {
  private static final int HALVES = 1 << 16;
  private static final int BYTES = 1 << 8;
  private static final int VECTOR = 64;

  /// By a byte `e`, `2^(e - 128)`: half of the scale that it is in MXFP4.
  static final int HALF_E8M0 = HALVES * Float.BYTES;

  private static final int VECTORS = HALF_E8M0 + BYTES * Float.BYTES;

  /// `0 .. 15` as floats.
  static final int CODES = VECTORS;

  /// `-8 .. 7` as floats.
  static final int CENTRED_CODES = CODES + VECTOR;

  /// The values of IQ4_NL and IQ4_XS.
  static final int NON_LINEAR = CENTRED_CODES + VECTOR;

  /// Twice the values of E2M1, the 4-bit float.
  static final int DOUBLED_E2M1 = NON_LINEAR + VECTOR;

  /// `-16` as a float.
  static final int MINUS_SIXTEEN = DOUBLED_E2M1 + VECTOR;

  // Bytes of the same value, named by it: 15, 48, 32, 16.
  static final int NIBBLES = MINUS_SIXTEEN + VECTOR;
  static final int TOP_BITS = NIBBLES + VECTOR;
  static final int HALF_RANGE = TOP_BITS + VECTOR;
  static final int FIFTH_BITS = HALF_RANGE + VECTOR;

  // Integers of the same value.
  static final int FIFTEENS = FIFTH_BITS + VECTOR;
  static final int SIXTEENS = FIFTEENS + VECTOR;
  static final int THIRTY_TWOS = SIXTEENS + VECTOR;
  static final int FORTY_EIGHTS = THIRTY_TWOS + VECTOR;

  /// Integers `0, 4, .. 60`.
  static final int NIBBLE_SHIFTS = FORTY_EIGHTS + VECTOR;

  /// Integers `0, 2, .. 30`.
  static final int PAIR_SHIFTS = NIBBLE_SHIFTS + VECTOR;

  // 16-bit numbers: the first in sixteen lanes, the second in the others.
  static final int SHIFTS_4_2 = PAIR_SHIFTS + VECTOR;
  static final int SHIFTS_0_2 = SHIFTS_4_2 + VECTOR;
  static final int SHIFTS_4_4 = SHIFTS_0_2 + VECTOR;
  static final int SHIFTS_4_3 = SHIFTS_4_4 + VECTOR;
  static final int SHIFTS_2_1 = SHIFTS_4_3 + VECTOR;
  static final int SHIFTS_0_1 = SHIFTS_2_1 + VECTOR;
  static final int SHIFTS_2_3 = SHIFTS_0_1 + VECTOR;
  static final int SHIFTS_0_4 = SHIFTS_2_3 + VECTOR;

  /// `0, 4, 8, 12` as integers, four times.
  static final int QUARTERS = SHIFTS_0_4 + VECTOR;

  /// Which bytes become 16-bit numbers: the first eight, the last eight, and both again.
  static final int HALVES_OF_SIXTEEN = QUARTERS + VECTOR;

  /// 8 as a float.
  static final int EIGHT = HALVES_OF_SIXTEEN + VECTOR;

  /// The values of IQ4_NL and IQ4_XS as bytes, in each sixteen.
  static final int NON_LINEAR_BYTES = EIGHT + VECTOR;

  /// Twice the values of E2M1 as bytes, in each sixteen.
  static final int DOUBLED_E2M1_BYTES = NON_LINEAR_BYTES + VECTOR;

  /// Integers `1 << i` for all 32 bits, two vectors.
  static final int SINGLE_BITS = DOUBLED_E2M1_BYTES + VECTOR;

  private static final int END = SINGLE_BITS + 2 * VECTOR;

  private static final int[] NON_LINEAR_VALUES = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };
  private static final int[] E2M1_VALUES = {
    0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
  };

  private static final MemorySegment MEMORY = fill();

  private Constants() {}

  static long address() {
    return MEMORY.address();
  }

  private static MemorySegment fill() {
    MemorySegment m = Arena.global().allocate(END, VECTOR);
    for (int bits = 0; bits < HALVES; bits++) {
      m.setAtIndex(ValueLayout.JAVA_FLOAT, bits, Float.float16ToFloat((short) bits));
    }
    for (int e = 0; e < BYTES; e++) {
      // The two smallest are subnormal.
      int bits = e < 2 ? 0x0020_0000 << e : e - 1 << 23;
      m.set(ValueLayout.JAVA_INT, HALF_E8M0 + 4L * e, bits);
    }
    for (int i = 0; i < 16; i++) {
      m.set(ValueLayout.JAVA_FLOAT, CODES + 4L * i, i);
      m.set(ValueLayout.JAVA_FLOAT, CENTRED_CODES + 4L * i, i - 8);
      m.set(ValueLayout.JAVA_FLOAT, NON_LINEAR + 4L * i, NON_LINEAR_VALUES[i]);
      m.set(ValueLayout.JAVA_FLOAT, DOUBLED_E2M1 + 4L * i, E2M1_VALUES[i]);
      m.set(ValueLayout.JAVA_FLOAT, MINUS_SIXTEEN + 4L * i, -16);
      m.set(ValueLayout.JAVA_FLOAT, EIGHT + 4L * i, 8);
      m.set(ValueLayout.JAVA_INT, NIBBLE_SHIFTS + 4L * i, 4 * i);
      m.set(ValueLayout.JAVA_INT, PAIR_SHIFTS + 4L * i, 2 * i);
      m.set(ValueLayout.JAVA_INT, QUARTERS + 4L * i, 4 * (i % 4));
    }
    for (int i = 0; i < VECTOR; i++) {
      int source = i / 2 % 16;
      m.set(ValueLayout.JAVA_BYTE, HALVES_OF_SIXTEEN + i, (byte) (i % 2 == 0 ? source : -1));
      m.set(ValueLayout.JAVA_BYTE, NON_LINEAR_BYTES + i, (byte) NON_LINEAR_VALUES[i % 16]);
      m.set(ValueLayout.JAVA_BYTE, DOUBLED_E2M1_BYTES + i, (byte) E2M1_VALUES[i % 16]);
    }
    for (int i = 0; i < Integer.SIZE; i++) {
      m.set(ValueLayout.JAVA_INT, SINGLE_BITS + 4L * i, 1 << i);
    }
    bytes(m, NIBBLES, 15);
    bytes(m, TOP_BITS, 48);
    bytes(m, HALF_RANGE, 32);
    bytes(m, FIFTH_BITS, 16);
    ints(m, FIFTEENS, 15);
    ints(m, SIXTEENS, 16);
    ints(m, THIRTY_TWOS, 32);
    ints(m, FORTY_EIGHTS, 48);
    shifts(m, SHIFTS_4_2, 4, 2);
    shifts(m, SHIFTS_0_2, 0, 2);
    shifts(m, SHIFTS_4_4, 4, 4);
    shifts(m, SHIFTS_4_3, 4, 3);
    shifts(m, SHIFTS_2_1, 2, 1);
    shifts(m, SHIFTS_0_1, 0, 1);
    shifts(m, SHIFTS_2_3, 2, 3);
    shifts(m, SHIFTS_0_4, 0, 4);
    return m;
  }

  private static void bytes(MemorySegment m, int at, int value) {
    m.asSlice(at, VECTOR).fill((byte) value);
  }

  private static void ints(MemorySegment m, int at, int value) {
    for (int i = 0; i < VECTOR / Integer.BYTES; i++) {
      m.set(ValueLayout.JAVA_INT, at + 4L * i, value);
    }
  }

  private static void shifts(MemorySegment m, int at, int low, int high) {
    int lanes = VECTOR / Short.BYTES;
    for (int i = 0; i < lanes; i++) {
      m.set(ValueLayout.JAVA_SHORT, at + 2L * i, (short) (i < lanes / 2 ? low : high));
    }
  }
}
