package io.kvasir.compute.cpu;

import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which kernel serves which number format.
final class Kernels {
  private static final Map<TensorType, RowKernel> ROW = new EnumMap<>(TensorType.class);
  private static final Map<TensorType, RowDecoder> DECODERS = new EnumMap<>(TensorType.class);

  private static final Set<TensorType> VECTORIZED = EnumSet.noneOf(TensorType.class);

  static {
    // Narrower vectors have no byte vectors of as many lanes.
    if (Lanes.L >= 8) {
      ROW.put(TensorType.F32, new F32RowKernel());
      ROW.put(TensorType.F16, new F16RowKernel());
      ROW.put(TensorType.BF16, new Bf16RowKernel());
      ROW.put(TensorType.Q8_0, new Q8RowKernel());
      ROW.put(TensorType.Q4_0, new Q4RowKernel());
      ROW.put(TensorType.Q4_K, new Q4KRowKernel());
      ROW.put(TensorType.Q6_K, new Q6KRowKernel());
      DECODERS.put(TensorType.F32, BlockDecoders::f32);
      DECODERS.put(TensorType.F16, BlockDecoders::f16);
      DECODERS.put(TensorType.BF16, BlockDecoders::bf16);
      DECODERS.put(TensorType.Q8_0, BlockDecoders::q8);
      DECODERS.put(TensorType.Q4_0, BlockDecoders::q4);
      DECODERS.put(TensorType.Q4_K, BlockDecoders::q4K);
      DECODERS.put(TensorType.Q6_K, BlockDecoders::q6K);
      DECODERS.put(TensorType.Q4_1, BlockDecoders::q41);
      DECODERS.put(TensorType.Q5_0, BlockDecoders::q50);
      DECODERS.put(TensorType.Q5_1, BlockDecoders::q51);
      DECODERS.put(TensorType.Q2_K, BlockDecoders::q2K);
      DECODERS.put(TensorType.Q3_K, BlockDecoders::q3K);
      DECODERS.put(TensorType.Q5_K, BlockDecoders::q5K);
    }
    if (TableDecoders.SUPPORTED) {
      DECODERS.put(TensorType.IQ4_NL, TableDecoders::iq4Nl);
      DECODERS.put(TensorType.IQ4_XS, TableDecoders::iq4Xs);
      DECODERS.put(TensorType.MXFP4, TableDecoders::mxfp4);
    }
    VECTORIZED.addAll(DECODERS.keySet());
    for (TensorType type : TensorType.values()) {
      DECODERS.putIfAbsent(type, type.codec()::decode);
    }
  }

  private Kernels() {}

  /// The kernel that multiplies without decoding to memory first, or null.
  static @Nullable RowKernel row(TensorType type) {
    return ROW.get(type);
  }

  /// Whether the decoder works on vectors.
  static boolean isVectorized(TensorType type) {
    return VECTORIZED.contains(type);
  }

  static RowDecoder decoder(TensorType type) {
    RowDecoder decoder = DECODERS.get(type);
    if (decoder == null) {
      throw new IllegalArgumentException("no decoder for " + type);
    }
    return decoder;
  }
}
