package io.kvasir.compute.cpu;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// The operands of `out = W x + b` for one or many rows of `x`, as kernels read them.
///
/// Filled by the caller before a region and unchanged while it runs; reused without allocating.
final class Product {
  private static final MemorySegment NO_WEIGHTS = MemorySegment.ofArray(new byte[0]);
  private static final float[] NO_VALUES = {};

  /// `[outputs, columns]` in the format `type`, row after row of `rowBytes`.
  MemorySegment weights = NO_WEIGHTS;

  TensorType type = TensorType.F32;
  long rowBytes;
  int columns;
  int outputs;

  /// Rows of `x` and `out`: row `r` starts at [#inputAt] and `outAt + r * outStride`.
  int rows;

  float[] x = NO_VALUES;
  int xAt;
  int xStride;

  /// From `chosenAt` on, which rows of `x` are meant; null for the first ones.
  int @Nullable [] chosen;

  int chosenAt;

  /// Where kernels find the rows of `x` in their own order, in bytes; set by [Packing].
  long packedAt;

  float[] out = NO_VALUES;
  int outAt;
  int outStride;

  /// One addend per output, or null.
  float @Nullable [] bias;

  /// Whether operands stay floats where those of other products are rounded.
  boolean isExact;

  /// Names the first rows of `x`, which start `stride` after each other.
  void from(float[] values, int at, int stride) {
    x = values;
    xAt = at;
    xStride = stride;
    chosen = null;
  }

  /// Names rows of `x` by their numbers.
  void choose(int[] numbers, int at) {
    chosen = numbers;
    chosenAt = at;
  }

  /// Names the rows of results, which start `stride` after each other.
  void to(float[] values, int at, int stride) {
    out = values;
    outAt = at;
    outStride = stride;
  }

  /// Where row `r` of `x` starts.
  int inputAt(int r) {
    return xAt + (chosen == null ? r : chosen[chosenAt + r]) * xStride;
  }

  /// Whether the rows of `x` are surely those of another product.
  @SuppressWarnings("ReferenceEquality") // the same memory is meant
  boolean hasInputsOf(Product other) {
    if (x != other.x || columns != other.columns || rows != other.rows) {
      return false;
    }
    if (rows == 1) {
      return inputAt(0) == other.inputAt(0);
    }
    return xAt == other.xAt
        && xStride == other.xStride
        && chosen == other.chosen
        && chosenAt == other.chosenAt;
  }

  float biasOf(int output) {
    return bias == null ? 0 : bias[output];
  }
}
