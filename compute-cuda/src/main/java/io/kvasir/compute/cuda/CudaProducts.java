package io.kvasir.compute.cuda;

import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Matrix products: picks the kernel for a number format and a number of rows.
///
/// Up to 8 rows read the weights once, in place (`gemv.cu`); more rows of bf16 weights, and of
/// others expanded to bf16 on the way, go through the tensor cores (`gemm.cu`); what these do not
/// take is done by `linear.cu`, which takes everything.
final class CudaProducts implements AutoCloseable {
  private static final int TILE = 8;
  private static final int THREADS = 128;
  private static final int OUTPUTS = 4;
  private static final int FEW_ROWS = 8;

  /// Rows from which on expanding quantized weights costs less than reading them again and again.
  private static final int EXPAND_ROWS = 33;

  private static final int GEMV_OUTPUTS = 32;
  private static final int GEMM_OUTPUTS = 128;
  private static final int[] GEMM_ROWS = {16, 32, 64, 128, 256};
  private static final int EXACT_ROWS = 64;

  private final CudaKernels kernels;
  private final Launch launch;
  private final boolean exact;
  private final Map<TensorType, long[]> plain = new EnumMap<>(TensorType.class);
  private final CudaKernels.@Nullable Sized[] gemm = new CudaKernels.Sized[GEMM_ROWS.length];
  private final CudaKernels.@Nullable Sized gemvBf16;
  private final CudaKernels.@Nullable Sized gemvQ80;
  private final CudaKernels.@Nullable Sized gemvQ40;
  private final CudaKernels.@Nullable Sized gemvQ4K;
  private final DeviceArray high;
  private final DeviceArray low;
  private final DeviceArray parts;
  private @Nullable Packed packed;
  private long packedAt = -1;
  private final DeviceArray expanded;

  /// @param exact whether only the kernels that round to f32 are used
  CudaProducts(
      CudaContext context, CudaKernels kernels, Staging staging, Launch launch, boolean exact) {
    this.kernels = kernels;
    this.launch = launch;
    this.exact = exact;
    for (int i = 0; i < gemm.length; i++) {
      gemm[i] = kernels.find("gemm_bf16_" + GEMM_ROWS[i]);
    }
    gemvBf16 = kernels.find("gemv_bf16");
    gemvQ80 = kernels.find("gemv_q8_0");
    gemvQ40 = kernels.find("gemv_q4_0");
    gemvQ4K = kernels.find("gemv_q4_k");
    high = new DeviceArray(context, staging, "inputs of products");
    low = new DeviceArray(context, staging, "inputs of products");
    parts = new DeviceArray(context, staging, "parts of products");
    expanded = new DeviceArray(context, staging, "expanded weights");
  }

  /// What `high` and `low` hold as long as nothing but products was launched since: queries, keys
  /// and values are computed from the same rows.
  private record Packed(Rows in, int rows, int columns) {}

  /// Rows of f32 on the device.
  ///
  /// @param pointer of the first element that is used
  /// @param stride elements from row to row
  record Rows(long pointer, int stride) {
    Rows from(int row) {
      return new Rows(pointer + 4L * row * stride, stride);
    }

    boolean isAligned() {
      return pointer % 16 == 0 && stride % 4 == 0;
    }
  }

  /// `out[r] = weight in[r] + bias`.
  ///
  /// @param bias device address of one number for each output, 0 for none
  void multiply(CudaWeight weight, long bias, Rows in, Rows out, int rows) {
    if (!exact && in.isAligned() && weight.pointer() % 16 == 0 && weight.rowBytes() % 16 == 0) {
      CudaKernels.Sized few = gemv(weight);
      boolean many = gemm[0] != null && weight.columns() % 8 == 0;
      boolean brain = weight.type() == TensorType.BF16;
      if (many && (brain && rows > FEW_ROWS || !brain && few != null && rows >= EXPAND_ROWS)) {
        multiplyMany(brain ? weight : expand(weight), bias, in, out, rows);
        return;
      }
      if (few != null && rows < EXPAND_ROWS) {
        for (int r = 0; r < rows; r += FEW_ROWS) {
          int count = Math.min(FEW_ROWS, rows - r);
          launch.of(few.function());
          operands(weight, bias, in.from(r), out.from(r), count);
          launch
              .shared(few.sharedBytes())
              .early()
              .launch((weight.rows() + GEMV_OUTPUTS - 1) / GEMV_OUTPUTS, 256);
        }
        return;
      }
    }
    long[] functions = plain.computeIfAbsent(weight.type(), this::functions);
    int tile = rows == 1 ? 1 : TILE;
    launch.of(functions[rows == 1 ? 0 : 1]);
    operands(weight, bias, in, out, rows);
    launch.launch((weight.rows() + OUTPUTS - 1) / OUTPUTS, (rows + tile - 1) / tile, 1, THREADS);
  }

  private void operands(CudaWeight weight, long bias, Rows in, Rows out, int rows) {
    launch
        .pointer(weight.pointer())
        .pointer(weight.rowBytes())
        .number(weight.columns())
        .number(weight.rows())
        .pointer(in.pointer())
        .number(in.stride())
        .number(rows)
        .pointer(bias)
        .pointer(out.pointer())
        .number(out.stride());
  }

  private CudaKernels.@Nullable Sized gemv(CudaWeight weight) {
    CudaKernels.Sized kernel =
        switch (weight.type()) {
          case BF16 -> gemvBf16;
          case Q8_0 -> gemvQ80;
          case Q4_0 -> gemvQ40;
          case Q4_K -> gemvQ4K;
          default -> null;
        };
    int step = weight.type() == TensorType.BF16 ? 32 : 256;
    return weight.columns() % step == 0 ? kernel : null;
  }

  /// The weights as bf16, in memory that the next product overwrites.
  private CudaWeight expand(CudaWeight weight) {
    long rowBytes = 2L * weight.columns();
    long target = expanded.room(rowBytes * weight.rows());
    launch
        .of(kernels.function("kv_expand_" + weight.type().ggmlId()))
        .pointer(weight.pointer())
        .pointer(weight.rowBytes())
        .number(weight.columns())
        .number(weight.rows())
        .pointer(target)
        .launch(weight.rows(), 256);
    return new CudaWeight(
        weight.name(), TensorType.BF16, weight.rows(), weight.columns(), target, rowBytes);
  }

  private void multiplyMany(CudaWeight weight, long bias, Rows in, Rows out, int rows) {
    int size = 0;
    while (size < GEMM_ROWS.length - 1 && rows > GEMM_ROWS[size]) {
      size++;
    }
    CudaKernels.Sized kernel = gemm[size];
    if (kernel == null) {
      throw new IllegalStateException("there is no product of " + rows + " rows");
    }
    long bytes = 2L * rows * weight.columns();
    long upper = high.room(bytes);
    long lower = rows > EXACT_ROWS ? 0 : low.room(bytes);
    Packed wanted = new Packed(in, rows, weight.columns());
    if (packedAt != launch.launches() || !wanted.equals(packed)) {
      launch
          .of(kernels.function("gemm_pack"))
          .pointer(in.pointer())
          .number(in.stride())
          .number(weight.columns())
          .pointer(upper)
          .pointer(lower)
          .launch(rows, 256);
      packed = wanted;
    }
    int splits = rows > 128 ? 1 : splits(weight.rows());
    long sums = splits == 1 ? out.pointer() : parts.room(4L * splits * rows * weight.rows());
    launch
        .of(kernel.function())
        .pointer(weight.pointer())
        .pointer(weight.rowBytes())
        .number(weight.columns())
        .number(weight.rows())
        .pointer(upper)
        .pointer(lower)
        .number(rows)
        .pointer(splits == 1 ? bias : 0)
        .pointer(sums)
        .number(splits == 1 ? out.stride() : weight.rows())
        .shared(kernel.sharedBytes())
        .launch(
            (weight.rows() + GEMM_OUTPUTS - 1) / GEMM_OUTPUTS,
            (rows + GEMM_ROWS[size] - 1) / GEMM_ROWS[size],
            splits,
            384);
    if (splits > 1) {
      launch
          .of(kernels.function("gemm_sum"))
          .pointer(sums)
          .number(splits)
          .number(rows)
          .number(weight.rows())
          .pointer(bias)
          .pointer(out.pointer())
          .number(out.stride())
          .launch((weight.rows() + 255) / 256, rows, 1, 256);
    }
    packedAt = out.pointer() == in.pointer() ? -1 : launch.launches();
  }

  /// Parts of the columns, so that few outputs fill the GPU; by the shape of the weights alone.
  private static int splits(int outputs) {
    return outputs <= 4096 ? 4 : outputs <= 16384 ? 2 : 1;
  }

  private long[] functions(TensorType type) {
    String name = "kv_linear_" + type.ggmlId() + "_";
    return new long[] {kernels.function(name + 1), kernels.function(name + TILE)};
  }

  @Override
  public void close() {
    high.close();
    low.close();
    parts.close();
    expanded.close();
  }
}
