package io.kvasir.compute.quant;

import org.jspecify.annotations.Nullable;

/// The encoders by type.
final class Encoders {
  private static final WeightEncoder F32 =
      new BlockEncoder(TensorType.F32, PlainNumbers::encodeF32);
  private static final WeightEncoder F16 =
      new BlockEncoder(TensorType.F16, PlainNumbers::encodeF16);
  private static final WeightEncoder BF16 =
      new BlockEncoder(TensorType.BF16, PlainNumbers::encodeBf16);

  private Encoders() {}

  static @Nullable WeightEncoder find(TensorType type) {
    if (type == TensorType.F32) {
      return F32;
    }
    if (type == TensorType.F16) {
      return F16;
    }
    return type == TensorType.BF16 ? BF16 : null;
  }
}
