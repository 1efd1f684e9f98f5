package io.kvasir.compute.quant;

/// Block formats that are not decoded yet.
final class IQuants {
  static final WeightCodec IQ2_XXS =
      new BlockCodec(
          TensorType.IQ2_XXS,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ2_XXS");
          });
  static final WeightCodec IQ2_XS =
      new BlockCodec(
          TensorType.IQ2_XS,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ2_XS");
          });
  static final WeightCodec IQ2_S =
      new BlockCodec(
          TensorType.IQ2_S,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ2_S");
          });
  static final WeightCodec IQ3_XXS =
      new BlockCodec(
          TensorType.IQ3_XXS,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ3_XXS");
          });
  static final WeightCodec IQ3_S =
      new BlockCodec(
          TensorType.IQ3_S,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ3_S");
          });
  static final WeightCodec IQ1_S =
      new BlockCodec(
          TensorType.IQ1_S,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ1_S");
          });
  static final WeightCodec IQ1_M =
      new BlockCodec(
          TensorType.IQ1_M,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("IQ1_M");
          });

  private IQuants() {}
}
