package io.kvasir.compute.x86;

/// Products as [Operands] define them, one element after the other: what machine code is compared
/// with.
final class LaneSums {
  private static final int LANES = 16;

  private LaneSums() {}

  static float dot(Operands operands, float[] w, float[] x) {
    float[] lanes = new float[LANES];
    switch (operands) {
      case F32 -> {
        for (int k = 0; k < w.length; k++) {
          lanes[k % LANES] = Math.fma(w[k], x[k], lanes[k % LANES]);
        }
      }
      case BF16 -> {
        for (int k = 0; k < w.length; k += 2) {
          int lane = k / 2 % LANES;
          lanes[lane] = add(lanes[lane], w[k + 1], x[k + 1]);
          lanes[lane] = add(lanes[lane], w[k], x[k]);
        }
      }
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }

  private static float add(float sum, float w, float x) {
    return normal(Math.fma(rounded(w), rounded(x), sum));
  }

  /// A float with 8 significant bits, rounded to the nearest even.
  static float rounded(float value) {
    if (Float.isNaN(value)) {
      return value;
    }
    int bits = Float.floatToRawIntBits(normal(value));
    int even = bits >>> 16 & 1;
    return Float.intBitsToFloat(bits + 0x7fff + even & 0xffff_0000);
  }

  private static float normal(float value) {
    return Math.abs(value) < Float.MIN_NORMAL ? Math.copySign(0, value) : value;
  }
}
