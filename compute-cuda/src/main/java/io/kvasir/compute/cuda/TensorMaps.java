package io.kvasir.compute.cuda;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What the copy engine of the GPU is told of bf16 weights: `CUtensorMap`s for boxes of 128 rows of
/// 64 columns, which reach shared memory as `gemm_stream.cuh` multiplies them. Made once for each
/// matrix; a launch takes them by value.
final class TensorMaps implements AutoCloseable {
  /// Bytes of a map.
  static final int BYTES = 128;

  /// Gate and up come eight rows of each by turns.
  private static final int TURN = 8;

  private static final int COLUMNS = 64;
  private static final int ROWS = 128;
  private static final int MOST_RANK = 4;

  /// Bytes behind the address that [#refusal] tries: two boxes.
  static final long TRIAL_BYTES = 2L * 2 * ROWS * COLUMNS;

  /// Strides have 40 bits.
  private static final long MOST_STRIDE = 1L << 40;

  /// `CU_TENSOR_MAP_DATA_TYPE_BFLOAT16`.
  private static final int BRAIN = 9;

  /// `CU_TENSOR_MAP_SWIZZLE_128B`.
  private static final int SWIZZLE = 3;

  /// `CU_TENSOR_MAP_L2_PROMOTION_L2_128B`.
  private static final int LINE = 2;

  /// `CU_TENSOR_MAP_L2_PROMOTION_L2_256B`.
  private static final int TWO_LINES = 3;

  private final CudaContext context;
  private final int promotion;
  private final Arena arena = Arena.ofShared();
  private final Map<CudaWeight, MemorySegment> plain = new HashMap<>();
  private final Map<CudaWeight, Gates> gated = new HashMap<>();
  private final MemorySegment sizes = arena.allocate(8L * MOST_RANK, 8);
  private final MemorySegment strides = arena.allocate(8L * MOST_RANK, 8);
  private final MemorySegment box = arena.allocate(4L * MOST_RANK, 8);
  private final MemorySegment steps = arena.allocate(4L * MOST_RANK, 8);

  /// @param wide whether memory is read 256 bytes at a time, the next step's with a step's
  TensorMaps(CudaContext context, boolean wide) {
    this.context = context;
    promotion = wide ? TWO_LINES : LINE;
    for (int i = 0; i < MOST_RANK; i++) {
      steps.setAtIndex(ValueLayout.JAVA_INT, i, 1);
    }
  }

  /// A map of a gate and the matrix that it was made with.
  private record Gates(CudaWeight up, MemorySegment map) {}

  /// The map of a matrix.
  MemorySegment of(CudaWeight weight) {
    MemorySegment known = plain.get(weight);
    if (known == null) {
      sizes(weight);
      known = encode(weight.pointer(), 2);
      plain.put(weight, known);
    }
    return known;
  }

  /// Whether two matrices can come by turns.
  static boolean joins(CudaWeight gate, CudaWeight up) {
    long apart = Math.abs(up.pointer() - gate.pointer());
    return gate.rows() % TURN == 0 && apart > 0 && apart % 16 == 0 && apart < MOST_STRIDE;
  }

  /// The map of gate and up by turns, in the order of their addresses.
  MemorySegment of(CudaWeight gate, CudaWeight up) {
    @Nullable Gates known = gated.get(gate);
    if (known == null || !known.up().equals(up)) {
      sizes(gate, up);
      known = new Gates(up, encode(Math.min(gate.pointer(), up.pointer()), MOST_RANK));
      gated.put(gate, known);
    }
    return known.map();
  }

  /// Asks for a map of each kind, of memory at `pointer`, to see whether the driver makes them.
  ///
  /// @return 0, or the code with which it refuses
  int refusal(long pointer) {
    CudaWeight half = trial(pointer);
    MemorySegment map = arena.allocate(BYTES, 64);
    sizes(half);
    int code = encode(map, pointer, 2);
    sizes(half, trial(pointer + TRIAL_BYTES / 2));
    return code != 0 ? code : encode(map, pointer, MOST_RANK);
  }

  private static CudaWeight trial(long pointer) {
    return new CudaWeight("trial", TensorType.BF16, ROWS, COLUMNS, pointer, 2L * COLUMNS);
  }

  private void sizes(CudaWeight weight) {
    size(0, weight.columns(), COLUMNS, weight.rowBytes());
    size(1, weight.rows(), ROWS, 0);
  }

  private void sizes(CudaWeight gate, CudaWeight up) {
    size(0, gate.columns(), COLUMNS, gate.rowBytes());
    size(1, TURN, TURN, Math.abs(up.pointer() - gate.pointer()));
    size(2, 2, 2, TURN * gate.rowBytes());
    size(3, gate.rows() / TURN, ROWS / TURN / 2, 0);
  }

  /// @param stride bytes to the next of the dimension behind
  private void size(int dimension, long size, int ofBox, long stride) {
    sizes.setAtIndex(ValueLayout.JAVA_LONG, dimension, size);
    strides.setAtIndex(ValueLayout.JAVA_LONG, dimension, stride);
    box.setAtIndex(ValueLayout.JAVA_INT, dimension, ofBox);
  }

  private MemorySegment encode(long pointer, int rank) {
    MemorySegment map = arena.allocate(BYTES, 64);
    context.check(encode(map, pointer, rank), "cuTensorMapEncodeTiled");
    return map;
  }

  private int encode(MemorySegment map, long pointer, int rank) {
    return context
        .driver()
        .code()
        .encodeTiles()
        .call(
            map.address(),
            BRAIN,
            rank,
            pointer,
            sizes.address(),
            strides.address(),
            box.address(),
            steps.address(),
            0,
            SWIZZLE,
            promotion,
            0);
  }

  @Override
  public void close() {
    arena.close();
  }
}
