package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// The 8-bit floats of the Open Compute Project: E4M3 and E5M2 ("OCP 8-bit Floating Point
/// Specification", 2023) and the scale E8M0 ("OCP Microscaling Formats", 2023).
final class SmallFloats {
  private static final float[] E4M3 = table(4, 3);
  private static final float[] E5M2 = table(5, 2);

  static final WeightCodec F8_E4M3 =
      new PlainCodec(
          TensorType.F8_E4M3, (s, at, t, to, count) -> lookUp(E4M3, s, at, t, to, count));
  static final WeightCodec F8_E5M2 =
      new PlainCodec(
          TensorType.F8_E5M2, (s, at, t, to, count) -> lookUp(E5M2, s, at, t, to, count));
  static final WeightCodec F8_E8M0 = new PlainCodec(TensorType.F8_E8M0, SmallFloats::powers);

  private SmallFloats() {}

  private static void lookUp(
      float[] values, MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = values[Le.u8(s, at + i)];
    }
  }

  private static void powers(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = e8m0(Le.u8(s, at + i));
    }
  }

  /// 2^(code - 127); 255 is NaN.
  static float e8m0(int code) {
    if (code == 255) {
      return Float.NaN;
    }
    // Exponent field 0 would be zero in binary32, so the smallest scale is written as a subnormal.
    return Float.intBitsToFloat(code == 0 ? 0x0040_0000 : code << 23);
  }

  static float e4m3(int code) {
    return E4M3[code];
  }

  private static float[] table(int exponentBits, int mantissaBits) {
    float[] values = new float[256];
    for (int code = 0; code < 256; code++) {
      values[code] = value(code, exponentBits, mantissaBits);
    }
    return values;
  }

  private static float value(int code, int exponentBits, int mantissaBits) {
    int bias = (1 << exponentBits - 1) - 1;
    int top = (1 << exponentBits) - 1;
    int mantissaTop = (1 << mantissaBits) - 1;
    int exponent = code >> mantissaBits & top;
    int mantissa = code & mantissaTop;
    float sign = code < 128 ? 1 : -1;
    boolean infinities = exponentBits == 5;
    if (exponent == top && infinities) {
      return mantissa == 0 ? sign * Float.POSITIVE_INFINITY : Float.NaN;
    }
    if (exponent == top && mantissa == mantissaTop) {
      return Float.NaN;
    }
    return exponent == 0
        ? sign * Math.scalb((float) mantissa, 1 - bias - mantissaBits)
        : sign * Math.scalb((float) (mantissa | mantissaTop + 1), exponent - bias - mantissaBits);
  }
}
