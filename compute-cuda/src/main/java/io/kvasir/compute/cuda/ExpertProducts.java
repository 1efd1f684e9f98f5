package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Products of rows with the experts that they picked, tile by tile of [ExpertLists]: with the
/// tensor cores (`experts_few.cu`) where a mixture's weights allow, else by `experts.cu`.
final class ExpertProducts implements AutoCloseable {
  private static final int THREADS = 128;
  private static final int OUTPUTS = 4;
  private static final int FEW_THREADS = 256;
  private static final int FEW_OUTPUTS = 32;
  private static final int CALL_BYTES = 64;
  private static final int NONE = -1;

  private final CudaKernels kernels;
  private final Launch launch;
  private final ExpertLists lists;
  private final Map<TensorType, Long> plain = new EnumMap<>(TensorType.class);
  private final Map<TensorType, CudaKernels.Sized> few = new EnumMap<>(TensorType.class);
  private final Arena arena = Arena.ofShared();
  private final MemorySegment call = arena.allocate(CALL_BYTES, 8);

  /// @param exact whether only the kernels that round to f32 are used
  ExpertProducts(CudaKernels kernels, Launch launch, ExpertLists lists, boolean exact) {
    this.kernels = kernels;
    this.launch = launch;
    this.lists = lists;
    if (!exact) {
      put(TensorType.BF16, "experts_bf16");
      put(TensorType.Q8_0, "experts_q8_0");
      put(TensorType.Q4_0, "experts_q4_0");
      put(TensorType.Q4_K, "experts_q4_k");
    }
  }

  private void put(TensorType type, String name) {
    CudaKernels.Sized kernel = kernels.find(name);
    if (kernel != null) {
      few.put(type, kernel);
    }
  }

  /// What a product reads and writes.
  ///
  /// @param x device address of `[slots, columns]`, or of one row for all slots
  /// @param xStep elements from a slot's row to the next; 0 only where tiles have one slot
  /// @param out device address of `[slots, outputs]`
  record Operands(long x, int xStep, long out) {}

  /// `out = W x + b` with one matrix of the experts.
  void multiply(ExpertTable table, ExpertTable.Matrix matrix, Operands operands) {
    int tiles = lists.mostTiles();
    CudaKernels.Sized kernel = few(matrix);
    if (kernel != null) {
      int blocks = (matrix.outputs() + FEW_OUTPUTS - 1) / FEW_OUTPUTS;
      long rowBytes = matrix.rowBytes().values().iterator().next();
      launchFew(kernel, call(table, matrix, operands, rowBytes, NONE), blocks, tiles);
      return;
    }
    for (Map.Entry<TensorType, Long> type : matrix.rowBytes().entrySet()) {
      launch
          .of(plain.computeIfAbsent(type.getKey(), this::plainKernel))
          .structure(call(table, matrix, operands, type.getValue(), NONE))
          .launch(tiles, (matrix.outputs() + OUTPUTS - 1) / OUTPUTS, 1, THREADS);
    }
  }

  /// `out = activation(gate x) * up x`, where one launch computes it.
  ///
  /// @return whether it did
  boolean gate(ExpertTable table, Activation activation, Operands operands) {
    ExpertTable.Matrix gate = table.gate();
    CudaKernels.Sized kernel = gate == null ? null : few(gate);
    if (gate == null
        || kernel == null
        || !table.up().isAligned()
        || !table.up().rowBytes().equals(gate.rowBytes())) {
      return false;
    }
    int blocks = (gate.outputs() + FEW_OUTPUTS / 2 - 1) / (FEW_OUTPUTS / 2);
    long rowBytes = gate.rowBytes().values().iterator().next();
    MemorySegment of = call(table, gate, operands, rowBytes, CudaElements.number(activation));
    launchFew(kernel, of, blocks, lists.mostTiles());
    return true;
  }

  private void launchFew(CudaKernels.Sized kernel, MemorySegment of, int blocks, int tiles) {
    launch
        .of(kernel.function())
        .structure(of)
        .shared(kernel.sharedBytes())
        .launch(blocks, tiles, 1, FEW_THREADS);
  }

  private CudaKernels.@Nullable Sized few(ExpertTable.Matrix matrix) {
    if (matrix.rowBytes().size() != 1 || !matrix.isAligned()) {
      return null;
    }
    TensorType type = matrix.rowBytes().keySet().iterator().next();
    boolean whole = matrix.columns() % (type == TensorType.BF16 ? 32 : 256) == 0;
    return whole ? few.get(type) : null;
  }

  private long plainKernel(TensorType type) {
    return kernels.function("kv_experts_" + type.ggmlId());
  }

  /// An `ExpertCall` of `experts.cuh`.
  private MemorySegment call(
      ExpertTable table,
      ExpertTable.Matrix matrix,
      Operands operands,
      long rowBytes,
      int activation) {
    long[] pointers = {
      table.pointer(matrix.part()),
      lists.tiles(),
      lists.tileCount(),
      operands.x(),
      operands.out(),
      rowBytes
    };
    int[] numbers = {operands.xStep(), matrix.columns(), matrix.outputs(), activation};
    MemorySegment.copy(pointers, 0, call, ValueLayout.JAVA_LONG, 0, pointers.length);
    MemorySegment.copy(numbers, 0, call, ValueLayout.JAVA_INT, 48, numbers.length);
    return call;
  }

  @Override
  public void close() {
    arena.close();
  }
}
