package io.kvasir.compute.quant;

/// Block formats that are not decoded yet.
final class Float4Quants {
  static final WeightCodec MXFP4 =
      new BlockCodec(
          TensorType.MXFP4,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("MXFP4");
          });
  static final WeightCodec NVFP4 =
      new BlockCodec(
          TensorType.NVFP4,
          (s, at, t, to) -> {
            throw new UnsupportedOperationException("NVFP4");
          });

  private Float4Quants() {}
}
