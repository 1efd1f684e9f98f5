package io.kvasir.compute.quant;

/// Block formats that are not decoded yet.
final class TernaryQuants {
  static final WeightCodec TQ1_0 =
      new BlockCodec(
          TensorType.TQ1_0,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("TQ1_0");
          });
  static final WeightCodec TQ2_0 =
      new BlockCodec(
          TensorType.TQ2_0,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("TQ2_0");
          });

  private TernaryQuants() {}
}
