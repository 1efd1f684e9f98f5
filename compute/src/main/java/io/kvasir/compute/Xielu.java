package io.kvasir.compute;

/// The trained activation xIELU (arXiv 2411.13010): for `x > 0`, `positive x^2 + beta x`; else
/// `negative (e^min(x, epsilon) - 1 - x) + beta x`.
public record Xielu(float positive, float negative, float beta, float epsilon) {

  /// From the numbers that models keep: `positive = softplus(alphaP)`, `negative = beta +
  /// softplus(alphaN)`.
  public static Xielu trained(float alphaP, float alphaN, float beta, float epsilon) {
    return new Xielu(softplus(alphaP), beta + softplus(alphaN), beta, epsilon);
  }

  /// The activation of one value.
  public float apply(float x) {
    if (x > 0) {
      return positive * x * x + beta * x;
    }
    return negative * ((float) Math.expm1(Math.min(x, epsilon)) - x) + beta * x;
  }

  private static float softplus(float x) {
    return (float) (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
  }
}
