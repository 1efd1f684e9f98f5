package io.kvasir.compute.quant;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The encoders by type.
final class Encoders {
  private static final Map<TensorType, WeightEncoder> ALL = new EnumMap<>(TensorType.class);

  static {
    put(TensorType.F32, PlainNumbers::encodeF32);
    put(TensorType.F16, PlainNumbers::encodeF16);
    put(TensorType.BF16, PlainNumbers::encodeBf16);
    put(TensorType.Q4_0, LegacyEncoders::q4);
    put(TensorType.Q4_1, LegacyEncoders::q4Min);
    put(TensorType.Q5_0, LegacyEncoders::q5);
    put(TensorType.Q5_1, LegacyEncoders::q5Min);
    put(TensorType.Q8_0, LegacyEncoders::q8);
    put(TensorType.TQ1_0, LegacyEncoders::ternaryBase3);
    put(TensorType.TQ2_0, LegacyEncoders::ternaryTwoBits);
    put(TensorType.MXFP4, Float4Quants::encodeMx);
  }

  private Encoders() {}

  private static void put(TensorType type, BlockEncoder.SingleBlock block) {
    ALL.put(type, new BlockEncoder(type, block));
  }

  static @Nullable WeightEncoder find(TensorType type) {
    return ALL.get(type);
  }
}
