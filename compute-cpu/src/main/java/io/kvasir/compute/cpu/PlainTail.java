package io.kvasir.compute.cpu;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The last `K % L` elements of a dot product with unquantized weights; rows of quantized blocks
/// have none.
final class PlainTail {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private PlainTail() {}

  /// `sum` plus the products from element `from` on, one after the other.
  static float add(Product p, int row, int output, int from, float sum) {
    int xAt = p.inputAt(row);
    long at = output * p.rowBytes;
    float result = sum;
    for (int k = from; k < p.columns; k++) {
      result = Math.fma(p.x[xAt + k], weight(p.type, p.weights, at, k), result);
    }
    return result;
  }

  private static float weight(TensorType type, MemorySegment weights, long at, int k) {
    return switch (type) {
      case F32 -> weights.get(FLOAT, at + 4L * k);
      case F16 -> Float.float16ToFloat(weights.get(SHORT, at + 2L * k));
      case BF16 -> Float.intBitsToFloat(weights.get(SHORT, at + 2L * k) << 16);
      default -> throw new IllegalArgumentException(type + " has no single elements");
    };
  }
}
