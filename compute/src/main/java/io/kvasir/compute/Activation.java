package io.kvasir.compute;

/// The non-linearity of a feed-forward layer.
public enum Activation {
  /// `x * sigmoid(x)`
  SILU,
  /// `x * Phi(x)` with the error function
  GELU,
  /// `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`
  GELU_TANH,
  /// `x * sigmoid(1.702 x)`
  GELU_QUICK,
  RELU,
  /// `max(x, 0)^2`
  RELU_SQUARED,
  /// `sigmoid(x)`, of gates that are no activation of their own
  SIGMOID,
  /// The gated form of gpt-oss: gate clamped to at most 7, up to [-7, 7], then `(up + 1) * gate *
  /// sigmoid(1.702 gate)`
  CLAMPED_SWIGLU;

  public static final float CLAMP = 7f;
  public static final float QUICK_SLOPE = 1.702f;
}
