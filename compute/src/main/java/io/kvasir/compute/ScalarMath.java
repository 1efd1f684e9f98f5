package io.kvasir.compute;

/// Scalar formulas that every backend on the processor shares, so that they agree to the bit.
public final class ScalarMath {
  private ScalarMath() {}

  /// The activation of one gate value; for [Activation#CLAMPED_SWIGLU] see [#gated].
  public static float activate(Activation activation, float x) {
    return switch (activation) {
      case SILU -> x * sigmoid(x);
      case GELU -> (float) (0.5 * x * (1 + erf(x * 0.7071067811865476)));
      case GELU_TANH ->
          (float) (0.5 * x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))));
      case GELU_QUICK -> x * sigmoid(Activation.QUICK_SLOPE * x);
      case RELU -> Math.max(x, 0);
      case RELU_SQUARED -> Math.max(x, 0) * Math.max(x, 0);
      case SIGMOID -> sigmoid(x);
      case CLAMPED_SWIGLU -> {
        float gate = Math.min(x, Activation.CLAMP);
        yield gate * sigmoid(Activation.QUICK_SLOPE * gate);
      }
    };
  }

  /// The activated gate times `up`.
  public static float gated(Activation activation, float gate, float up) {
    float activated = activate(activation, gate);
    if (activation == Activation.CLAMPED_SWIGLU) {
      return (Math.clamp(up, -Activation.CLAMP, Activation.CLAMP) + 1) * activated;
    }
    return activated * up;
  }

  public static float sigmoid(float x) {
    return (float) (1 / (1 + Math.exp(-x)));
  }

  /// The error function to about 1e-7 relative: its Maclaurin series near 0, else the continued
  /// fraction of erfc (Abramowitz & Stegun 7.1.5 and 7.1.14, evaluated backwards).
  public static double erf(double x) {
    double a = Math.abs(x);
    if (a > 6) {
      return Math.signum(x);
    }
    if (a < 2.5) {
      double term = x;
      double sum = x;
      for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
        term *= -x * x / n;
        sum += term / (2 * n + 1);
      }
      return sum * 1.1283791670955126;
    }
    double fraction = 0;
    for (int n = 40; n >= 1; n--) {
      fraction = n / 2.0 / (a + fraction);
    }
    double erfc = Math.exp(-a * a) / ((a + fraction) * 1.772453850905516);
    return Math.signum(x) * (1 - erfc);
  }

  public static float softcap(float x, float cap) {
    return (float) (cap * Math.tanh(x / cap));
  }
}
