package io.kvasir.compute.cuda;

import io.kvasir.compute.cuda.CudaProducts.Rows;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Products of one to eight rows that read their weights once, in place (`gemv.cu`): up to three at
/// a time, with a norm before and an addition behind.
final class FewRows implements AutoCloseable {
  /// Most rows.
  static final int MOST = 8;

  /// Most products of a launch.
  static final int PARTS = 3;

  private static final int OUTPUTS = 32;
  private static final int THREADS = 256;
  private static final int NONE = -1;
  private static final int CALL_BYTES = 168;

  private final Launch launch;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment call = arena.allocate(CALL_BYTES, 8);
  private final Map<TensorType, CudaKernels.Sized> kernels = new EnumMap<>(TensorType.class);

  FewRows(CudaKernels all, Launch launch) {
    this.launch = launch;
    put(all, TensorType.BF16, "gemv_bf16");
    put(all, TensorType.Q8_0, "gemv_q8_0");
    put(all, TensorType.Q4_0, "gemv_q4_0");
    put(all, TensorType.Q4_K, "gemv_q4_k");
  }

  private void put(CudaKernels all, TensorType type, String name) {
    CudaKernels.Sized kernel = all.find(name);
    if (kernel != null) {
      kernels.put(type, kernel);
    }
  }

  /// Whether it can multiply with these weights.
  boolean takes(CudaWeight weight) {
    return kernels.containsKey(weight.type())
        && weight.columns() % (weight.type() == TensorType.BF16 ? 32 : 256) == 0
        && weight.pointer() % 16 == 0
        && weight.rowBytes() % 16 == 0;
  }

  /// What a launch does besides its products.
  ///
  /// @param norm of the rows, on the way; null for none
  /// @param sums to which `factor` times the results are added; null for none
  record Extras(@Nullable RowNorm norm, @Nullable Rows sums, float factor) {
    static final Extras NONE = new Extras(null, null, 0);
  }

  /// Products of the same rows, which [Product#joins] says can be computed together.
  void multiply(List<Product> products, Rows in, int rows, Extras extras) {
    int blocks = 0;
    for (Product product : products) {
      blocks += (product.weight().rows() + OUTPUTS - 1) / OUTPUTS;
    }
    launch(products, in, rows, NONE, extras, blocks);
  }

  /// `out = activation(gate) * up`, which goes to the gate's rows.
  ///
  /// @param activation its number in `activation.cuh`
  void gate(List<Product> gateAndUp, Rows in, int rows, int activation, @Nullable RowNorm norm) {
    int blocks = (gateAndUp.get(0).weight().rows() + OUTPUTS / 2 - 1) / (OUTPUTS / 2);
    launch(gateAndUp, in, rows, activation, new Extras(norm, null, 0), blocks);
  }

  private void launch(
      List<Product> products, Rows in, int rows, int activation, Extras extras, int blocks) {
    CudaWeight weight = products.get(0).weight();
    CudaKernels.Sized kernel = kernels.get(weight.type());
    if (kernel == null) {
      throw new IllegalStateException("there is no product of few rows for " + weight.type());
    }
    RowNorm norm = extras.norm();
    Rows sums = extras.sums();
    call.fill((byte) 0);
    putParts(call, products);
    long[] pointers = {
      weight.rowBytes(),
      norm == null ? in.pointer() : norm.in().pointer(),
      norm == null ? 0 : norm.weight(),
      norm == null ? 0 : norm.out().pointer(),
      sums == null ? 0 : sums.pointer()
    };
    int[] numbers = {
      weight.columns(),
      in.stride(),
      rows,
      activation,
      sums == null ? 0 : sums.stride(),
      Float.floatToRawIntBits(norm == null ? 0 : norm.norm().epsilon()),
      Float.floatToRawIntBits(extras.factor())
    };
    long at = PARTS * PART_BYTES;
    MemorySegment.copy(pointers, 0, call, ValueLayout.JAVA_LONG, at, pointers.length);
    at += 8L * pointers.length;
    MemorySegment.copy(numbers, 0, call, ValueLayout.JAVA_INT, at, numbers.length);
    launch
        .of(kernel.function())
        .structure(call)
        .shared(kernel.sharedBytes())
        .early()
        .launch(blocks, THREADS);
  }

  /// Bytes of a `ProductPart` of `products.cuh`.
  static final long PART_BYTES = 32;

  /// Writes the parts of a call, which begin it.
  static void putParts(MemorySegment call, List<Product> products) {
    for (int i = 0; i < products.size(); i++) {
      Product product = products.get(i);
      long at = i * PART_BYTES;
      call.set(ValueLayout.JAVA_LONG, at, product.weight().pointer());
      call.set(ValueLayout.JAVA_LONG, at + 8, product.bias());
      call.set(ValueLayout.JAVA_LONG, at + 16, product.out().pointer());
      call.set(ValueLayout.JAVA_INT, at + 24, product.weight().rows());
      call.set(ValueLayout.JAVA_INT, at + 28, product.out().stride());
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
