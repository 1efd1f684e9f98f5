package io.kvasir.kvcache.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Arithmetic that the codecs share; kernels must follow it to the bit.
final class RowNumbers {
  /// The largest finite half. Rows are kept inside it, so no scale overflows.
  static final float LARGEST = 65504f;

  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private RowNumbers() {}

  /// What is encoded for an element: NaN as 0, infinite and huge ones as [#LARGEST] with their
  /// sign.
  static float finite(float x) {
    return Float.isNaN(x) ? 0 : Math.clamp(x, -LARGEST, LARGEST);
  }

  /// The integer nearest to `x` inside `least .. most`, ties to even. Vector code may clamp, then
  /// add and subtract `0x1.8p23f`.
  static int round(float x, int least, int most) {
    return (int) Math.rint(Math.clamp(x, least, most));
  }

  /// The integer nearest to `x` inside `-most .. most`, ties away from zero.
  static int roundAway(float x, int most) {
    float magnitude = Math.min(Math.abs(x), most);
    int whole = (int) magnitude;
    int rounded = whole + (magnitude - whole >= 0.5f ? 1 : 0);
    return x < 0 ? -rounded : rounded;
  }

  /// `1 / scale`, or 0 for 0, so that all codes of a zero scale are 0.
  static float inverse(float scale) {
    return scale == 0 ? 0 : 1 / scale;
  }

  /// The half nearest to `x`, widened.
  static float half(float x) {
    return Float.float16ToFloat(Float.floatToFloat16(x));
  }

  static float half(MemorySegment memory, long at) {
    return Float.float16ToFloat(memory.get(HALF, at));
  }

  static void putHalf(MemorySegment memory, long at, float x) {
    memory.set(HALF, at, Float.floatToFloat16(x));
  }

  static void copyHalf(MemorySegment from, long at, MemorySegment to, long toAt) {
    to.set(HALF, toAt, from.get(HALF, at));
  }

  /// The sum of `terms`, whose length is a power of two: the upper half is added to the lower,
  /// until one is left. Overwrites them.
  static float treeSum(float[] terms) {
    for (int half = terms.length / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        terms[i] += terms[i + half];
      }
    }
    return terms[0];
  }
}
