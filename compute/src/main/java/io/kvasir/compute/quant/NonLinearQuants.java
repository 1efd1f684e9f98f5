package io.kvasir.compute.quant;

/// Block formats that are not decoded yet.
final class NonLinearQuants {
  static final WeightCodec IQ4_NL =
      new BlockCodec(
          TensorType.IQ4_NL,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ4_NL");
          });
  static final WeightCodec IQ4_XS =
      new BlockCodec(
          TensorType.IQ4_XS,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ4_XS");
          });

  private NonLinearQuants() {}
}
