package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Elementwise functions over arrays, the same to the bit in a vector and in the scalar rest.
///
/// The Vector API's own `EXP` is not used: its bits depend on whether the code is compiled yet.
final class VectorMath {
  /// Below this, e^x is taken as 0: it is no normal number any more.
  static final float LOWEST = -87.33f;

  static final float HIGHEST = 88f;
  static final float LOG2_E = (float) (1 / Math.log(2));
  static final float LN2_HIGH = (float) 0.693359375;
  static final float LN2_LOW = (float) (Math.log(2) - 0.693359375);

  /// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
  static final float ROUND = 12582912f;

  static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);
  // Coefficients of Cephes' expf (Moshier), whose terms of degree 0 and 1 are 1.
  static final float C2 = 0.5f;
  static final float C3 = (float) 1.6666665459e-1;
  static final float C4 = (float) 4.1665795894e-2;
  static final float C5 = (float) 8.3334519073e-3;
  static final float C6 = (float) 1.3981999507e-3;
  static final float C7 = (float) 1.9875691500e-4;

  private static final float TANH_SLOPE = (float) (2 * Math.sqrt(2 / Math.PI));
  private static final float SQRT_HALF = (float) Math.sqrt(0.5);
  private static final float ERF_P = (float) 0.3275911;
  private static final float ERF_1 = (float) 0.254829592;
  private static final float ERF_2 = (float) -0.284496736;
  private static final float ERF_3 = (float) 1.421413741;
  private static final float ERF_4 = (float) -1.453152027;
  private static final float ERF_5 = (float) 1.061405429;

  private VectorMath() {}

  /// `a[i] = e^a[i]` to about 2e-7 relative: `x = n ln 2 + f`, `2^n` times a polynomial in `f`. 0
  /// below -87.33, capped above 88; NaN stays NaN.
  static void exp(float[] a, int from, int to) {
    int end = from + F.loopBound(to - from);
    FloatVector c7 = FloatVector.broadcast(F, C7);
    for (int i = from; i < end; i += L) {
      FloatVector x = FloatVector.fromArray(F, a, i);
      VectorMask<Float> tiny = x.compare(VectorOperators.LT, LOWEST);
      x = x.max(LOWEST).min(HIGHEST);
      FloatVector t = x.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND));
      FloatVector n = t.sub(ROUND);
      FloatVector f = n.fma(FloatVector.broadcast(F, -LN2_HIGH), x);
      f = n.fma(FloatVector.broadcast(F, -LN2_LOW), f);
      FloatVector y = c7.fma(f, FloatVector.broadcast(F, C6));
      y = y.fma(f, FloatVector.broadcast(F, C5));
      y = y.fma(f, FloatVector.broadcast(F, C4));
      y = y.fma(f, FloatVector.broadcast(F, C3));
      y = y.fma(f, FloatVector.broadcast(F, C2));
      y = y.fma(f, FloatVector.broadcast(F, 1f));
      y = y.fma(f, FloatVector.broadcast(F, 1f));
      IntVector power = t.reinterpretAsInts().sub(ROUND_BITS - 127);
      FloatVector scale = power.lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      y.mul(scale).blend(0f, tiny).intoArray(a, i);
    }
    for (int i = end; i < to; i++) {
      a[i] = exp(a[i]);
    }
  }

  /// One value of [#exp(float[], int, int)].
  static float exp(float value) {
    if (value < LOWEST) {
      return 0f;
    }
    float x = Math.min(Math.max(value, LOWEST), HIGHEST);
    float t = Math.fma(x, LOG2_E, ROUND);
    float n = t - ROUND;
    float f = Math.fma(n, -LN2_HIGH, x);
    f = Math.fma(n, -LN2_LOW, f);
    float y = Math.fma(C7, f, C6);
    y = Math.fma(y, f, C5);
    y = Math.fma(y, f, C4);
    y = Math.fma(y, f, C3);
    y = Math.fma(y, f, C2);
    y = Math.fma(y, f, 1f);
    y = Math.fma(y, f, 1f);
    int power = Float.floatToRawIntBits(t) - (ROUND_BITS - 127);
    return y * Float.intBitsToFloat(power << 23);
  }

  /// `a[i] = cap * tanh(a[i] / cap)`, with `tanh y = 1 - 2 / (e^2y + 1)`.
  static void softcap(float[] a, int from, int to, float cap) {
    for (int i = from; i < to; i++) {
      a[i] = a[i] / cap * 2;
    }
    exp(a, from, to);
    for (int i = from; i < to; i++) {
      a[i] = cap * (1 - 2 / (a[i] + 1));
    }
  }

  /// `result[i] = act(gate[at + i])` for `count` elements.
  ///
  /// @param result takes the `count` results; see [Activation] for the formulas
  static void activate(Activation activation, float[] gate, int at, int count, float[] result) {
    for (int i = 0; i < count; i++) {
      result[i] = sigmoidArgument(activation, gate[at + i]);
    }
    exp(result, 0, count);
    switch (activation) {
      case SILU, GELU_QUICK, GELU_TANH, CLAMPED_SWIGLU -> {
        float high = activation == Activation.CLAMPED_SWIGLU ? Activation.CLAMP : Float.MAX_VALUE;
        for (int i = 0; i < count; i++) {
          result[i] = Math.min(gate[at + i], high) / (1 + result[i]);
        }
      }
      case GELU -> {
        for (int i = 0; i < count; i++) {
          result[i] = gelu(gate[at + i], result[i]);
        }
      }
      case SIGMOID -> {
        for (int i = 0; i < count; i++) {
          result[i] = 1 / (1 + result[i]);
        }
      }
      case RELU -> {
        for (int i = 0; i < count; i++) {
          result[i] = Math.max(gate[at + i], 0);
        }
      }
      case RELU_SQUARED -> {
        for (int i = 0; i < count; i++) {
          result[i] = Math.max(gate[at + i], 0) * Math.max(gate[at + i], 0);
        }
      }
    }
  }

  /// `activated[i] *= up[at + i]`; see [Activation#CLAMPED_SWIGLU] for the one that differs.
  static void gate(Activation activation, float[] activated, float[] up, int at, int count) {
    if (activation == Activation.CLAMPED_SWIGLU) {
      for (int i = 0; i < count; i++) {
        float clamped = Math.min(Math.max(up[at + i], -Activation.CLAMP), Activation.CLAMP);
        activated[i] *= clamped + 1;
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      activated[i] *= up[at + i];
    }
  }

  /// What `e` is raised to on the way to the activation of `x`.
  private static float sigmoidArgument(Activation activation, float x) {
    return switch (activation) {
      case SILU, SIGMOID -> -x;
      case GELU_QUICK -> -Activation.QUICK_SLOPE * x;
      case CLAMPED_SWIGLU -> -Activation.QUICK_SLOPE * Math.min(x, Activation.CLAMP);
      case GELU_TANH -> -TANH_SLOPE * (x + 0.044715f * x * x * x);
      case GELU -> -0.5f * x * x;
      case RELU, RELU_SQUARED -> 0;
    };
  }

  /// `x Phi(x)` with the error function of Abramowitz & Stegun 7.1.26 (1.5e-7 absolute).
  ///
  /// @param power `e^(-x^2 / 2)`
  private static float gelu(float x, float power) {
    float z = Math.abs(x) * SQRT_HALF;
    float t = 1 / (1 + ERF_P * z);
    float y = ERF_5 * t + ERF_4;
    y = y * t + ERF_3;
    y = y * t + ERF_2;
    y = y * t + ERF_1;
    float erfc = y * t * power;
    return x >= 0 ? 0.5f * x * (2 - erfc) : 0.5f * x * erfc;
  }
}
