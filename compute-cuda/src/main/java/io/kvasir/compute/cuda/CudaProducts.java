package io.kvasir.compute.cuda;

import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.Map;

/// Matrix products: picks the kernel for a number format and a number of rows.
final class CudaProducts {
  private static final int TILE = 8;
  private static final int THREADS = 128;
  private static final int OUTPUTS = 4;

  private final CudaKernels kernels;
  private final Launch launch;
  private final Map<TensorType, long[]> plain = new EnumMap<>(TensorType.class);

  CudaProducts(CudaKernels kernels, Launch launch) {
    this.kernels = kernels;
    this.launch = launch;
  }

  /// Rows of f32 on the device.
  ///
  /// @param pointer of the first element that is used
  /// @param stride elements from row to row
  record Rows(long pointer, int stride) {}

  /// `out[r] = weight in[r] + bias`.
  ///
  /// @param bias device address of one number for each output, 0 for none
  void multiply(CudaWeight weight, long bias, Rows in, Rows out, int rows) {
    long[] functions = plain.computeIfAbsent(weight.type(), this::functions);
    int tile = rows == 1 ? 1 : TILE;
    launch
        .of(functions[rows == 1 ? 0 : 1])
        .pointer(weight.pointer())
        .pointer(weight.rowBytes())
        .number(weight.columns())
        .number(weight.rows())
        .pointer(in.pointer())
        .number(in.stride())
        .number(rows)
        .pointer(bias)
        .pointer(out.pointer())
        .number(out.stride())
        .launch((weight.rows() + OUTPUTS - 1) / OUTPUTS, (rows + tile - 1) / tile, 1, THREADS);
  }

  private long[] functions(TensorType type) {
    String name = "kv_linear_" + type.ggmlId() + "_";
    return new long[] {kernels.function(name + 1), kernels.function(name + TILE)};
  }
}
