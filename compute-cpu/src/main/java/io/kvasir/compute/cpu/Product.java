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

  /// Rows of `x` and `out`: row `r` starts at `xAt + r * xStride` and `outAt + r * outStride`.
  int rows;

  float[] x = NO_VALUES;
  int xAt;
  int xStride;
  float[] out = NO_VALUES;
  int outAt;
  int outStride;

  /// One addend per output, or null.
  float @Nullable [] bias;

  /// Whether operands stay floats where those of other products are rounded.
  boolean isExact;

  float biasOf(int output) {
    return bias == null ? 0 : bias[output];
  }
}
