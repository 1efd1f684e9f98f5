package io.kvasir.compute.cpu;

import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Which kernel serves which number format.
final class Kernels {
  private static final Map<TensorType, RowKernel> ROW = new EnumMap<>(TensorType.class);
  private static final Map<TensorType, RowDecoder> DECODERS = new EnumMap<>(TensorType.class);

  static {
    if (Lanes.L == 16) {
      ROW.put(TensorType.Q8_0, new Q8RowKernel());
    }
    for (TensorType type : TensorType.values()) {
      DECODERS.putIfAbsent(type, type.codec()::decode);
    }
  }

  private Kernels() {}

  /// The kernel that multiplies without decoding to memory first, or null.
  static @Nullable RowKernel row(TensorType type) {
    return ROW.get(type);
  }

  static RowDecoder decoder(TensorType type) {
    RowDecoder decoder = DECODERS.get(type);
    if (decoder == null) {
      throw new IllegalArgumentException("no decoder for " + type);
    }
    return decoder;
  }
}
