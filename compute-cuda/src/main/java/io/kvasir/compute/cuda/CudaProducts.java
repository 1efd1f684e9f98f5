package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Matrix products: picks the kernel for a number format and a number of rows.
///
/// Up to 8 rows read the weights once, in place ([FewRows]); up to 256 of bf16 weights, and of
/// others expanded to bf16 on the way, stream them past ([StreamedRows]); more go through the
/// tensor cores tile by tile (`gemm.cu`); what these do not take is done by `linear.cu`, which
/// takes everything.
final class CudaProducts implements AutoCloseable {
  private static final int TILE = 8;
  private static final int THREADS = 128;
  private static final int OUTPUTS = 4;

  /// Rows from which on expanding quantized weights costs less than reading them again and again.
  private static final int EXPAND_ROWS = 33;

  private static final int GEMM_OUTPUTS = 128;
  private static final int[] GEMM_ROWS = {16, 32, 64, 128, 256};
  private static final int EXACT_ROWS = 64;

  private final CudaKernels kernels;
  private final Launch launch;
  private final boolean exact;
  private final Map<TensorType, long[]> plain = new EnumMap<>(TensorType.class);
  private final CudaKernels.@Nullable Sized[] gemm = new CudaKernels.Sized[GEMM_ROWS.length];
  private final FewRows few;
  private final StreamedRows streamed;
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
    few = new FewRows(kernels, launch);
    streamed = new StreamedRows(context, kernels, staging, launch);
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

  /// Whether a launch for few rows computes these, with a norm before or an addition behind.
  boolean areFew(List<Product> products, Rows in, int rows) {
    return !exact && rows <= FewRows.MOST && in.isAligned() && few.takes(products.get(0).weight());
  }

  /// Products of the same rows, which [Product#joins] says can be computed together.
  void multiply(List<Product> products, Rows in, int rows, FewRows.Extras extras) {
    if (areFew(products, in, rows)) {
      few.multiply(products, in, rows, extras);
    } else if (!exact && in.isAligned() && streamed.takes(products.get(0).weight(), rows)) {
      streamed.multiply(products, in, rows);
    } else {
      for (Product product : products) {
        multiply(product, in, rows);
      }
    }
  }

  /// `out = activation(gate) * up`, where a launch for few rows computes it; it goes to the gate's
  /// rows.
  void gate(List<Product> gateAndUp, Rows in, int rows, int activation, @Nullable RowNorm norm) {
    few.gate(gateAndUp, in, rows, activation, norm);
  }

  /// Computes a whole gated network where its rows and weights allow.
  ///
  /// @return whether it did
  boolean feedForward(
      List<Product> gateAndUp, Activation activation, Product down, Rows in, int rows) {
    StreamedRows.Gate gate =
        switch (activation) {
          case SILU -> new StreamedRows.Gate(1, 0);
          case GELU_TANH -> new StreamedRows.Gate(1.5957692f, 0.071354814f);
          case GELU_QUICK -> new StreamedRows.Gate(1.702f, 0);
          case GELU, RELU, RELU_SQUARED, SIGMOID, CLAMPED_SWIGLU -> null;
        };
    if (gate == null
        || exact
        || !in.isAligned()
        || !streamed.takes(gateAndUp.get(0).weight(), rows)
        || !streamed.takes(down.weight(), rows)
        || !StreamedRows.takesGates(gateAndUp.get(0).weight(), gateAndUp.get(1).weight())) {
      return false;
    }
    streamed.feedForward(gateAndUp, gate, down, in, rows);
    return true;
  }

  /// What takes 9 to 256 rows.
  StreamedRows streamed() {
    return streamed;
  }

  /// Whether norms of so many rows had better be [#normalize].
  boolean wantsNorm(RowNorm norm) {
    return !exact && streamed.wantsNorm(norm.rows(), norm.in().columns());
  }

  /// The norm of rows, to which `factor delta` is added before where `delta` is not 0.
  void normalize(RowNorm norm, long delta, float factor) {
    streamed.normalize(norm, delta, factor);
  }

  /// Whether a product for few rows could take a norm on its way.
  boolean takesNorm(RowNorm norm) {
    return !exact && norm.rows() <= FewRows.MOST && norm.in().pointer() % 16 == 0;
  }

  private void multiply(Product product, Rows in, int rows) {
    CudaWeight weight = product.weight();
    long bias = product.bias();
    Rows out = product.out();
    if (!exact && in.isAligned() && weight.pointer() % 16 == 0 && weight.rowBytes() % 16 == 0) {
      boolean many = gemm[0] != null && weight.columns() % 8 == 0;
      boolean brain = weight.type() == TensorType.BF16;
      boolean inPlace = few.takes(weight);
      if (many && (brain && rows > FewRows.MOST || !brain && inPlace && rows >= EXPAND_ROWS)) {
        CudaWeight expanded = brain ? weight : expand(weight);
        if (streamed.takes(expanded, rows)) {
          streamed.multiply(List.of(new Product(expanded, bias, out)), in, rows);
        } else {
          multiplyMany(expanded, bias, in, out, rows);
        }
        return;
      }
      if (inPlace && rows < EXPAND_ROWS) {
        for (int r = 0; r < rows; r += FewRows.MOST) {
          Product part = new Product(weight, bias, out.from(r));
          int count = Math.min(FewRows.MOST, rows - r);
          few.multiply(List.of(part), in.from(r), count, FewRows.Extras.NONE);
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
    if (packedAt != launch.changes() || !wanted.equals(packed)) {
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
    packedAt = out.pointer() == in.pointer() ? -1 : launch.changes();
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
    few.close();
    streamed.close();
  }
}
