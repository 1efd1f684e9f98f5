package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Gated networks of bf16 weights for steps in which experts have more than a few rows each, on
/// Hopper's tensor cores (`experts_many.cu`): five launches for all experts of a layer.
final class ManyExpertRows implements AutoCloseable {
  private static final int[] TILES = {16, 32, 64, 128};

  /// Slots up to which rows are taken as two bf16 numbers, as by `gemm.cu`.
  private static final int EXACT_TILE = 64;

  private static final int OUTPUTS = 128;
  private static final int THREADS = 384;
  private static final int PACK_THREADS = 256;
  private static final int CALL_BYTES = 80;
  private static final Set<TensorType> BRAIN = Set.of(TensorType.BF16);

  private final Launch launch;
  private final ExpertLists lists;
  private final CudaKernels.@Nullable Sized[] kernels = new CudaKernels.Sized[TILES.length];
  private final long pack;
  private final long gatePack;
  private final DeviceArray high;
  private final DeviceArray low;
  private final DeviceArray gates;
  private final DeviceArray innerHigh;
  private final DeviceArray innerLow;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment call = arena.allocate(CALL_BYTES, 8);

  ManyExpertRows(
      CudaContext context, CudaKernels all, Staging staging, Launch launch, ExpertLists lists) {
    this.launch = launch;
    this.lists = lists;
    boolean there = all.has("experts_pack");
    pack = there ? all.function("experts_pack") : 0;
    gatePack = there ? all.function("experts_gate_pack") : 0;
    for (int i = 0; i < TILES.length; i++) {
      kernels[i] = all.find("experts_gemm_" + TILES[i]);
    }
    high = new DeviceArray(context, staging, "inputs of experts");
    low = new DeviceArray(context, staging, "inputs of experts");
    gates = new DeviceArray(context, staging, "gates of experts");
    innerHigh = new DeviceArray(context, staging, "inner rows of experts");
    innerLow = new DeviceArray(context, staging, "inner rows of experts");
  }

  /// Slots of a tile for so many rows: room for half as many again as an expert has on average.
  ///
  /// @return 0 where these weights or rows are for others
  int tile(ExpertTable table, int rows) {
    long pairs = (long) rows * table.perRow();
    ExpertTable.Matrix gate = table.gate();
    if (gate == null
        || kernels[0] == null
        || pairs <= (long) ExpertLists.TILE * table.experts()
        || !fits(gate)
        || !fits(table.up())
        || !fits(table.down())) {
      return 0;
    }
    int i = 0;
    while (i < TILES.length - 1
        && 2L * TILES[i] * table.experts() < 3 * pairs
        && kernels[i + 1] != null) {
      i++;
    }
    return TILES[i];
  }

  private static boolean fits(ExpertTable.Matrix matrix) {
    return matrix.isAligned()
        && matrix.columns() % 8 == 0
        && matrix.rowBytes().keySet().equals(BRAIN);
  }

  /// Computes all networks; [ExpertLists] has tiles of `tile` slots.
  ///
  /// @param in device address of the step's rows
  /// @param out device address of `[slots, outputs]`
  void multiply(ExpertTable table, int tile, long in, int slots, long out) {
    ExpertTable.Matrix up = table.up();
    int inner = up.outputs();
    boolean both = tile <= EXACT_TILE;
    long columnBytes = 2L * slots * up.columns();
    long innerBytes = 2L * slots * inner;
    long upper = high.room(columnBytes);
    long lower = both ? low.room(columnBytes) : 0;
    launch
        .of(pack)
        .pointer(in)
        .number(up.columns())
        .pointer(lists.rows())
        .pointer(lists.factors())
        .pointer(upper)
        .pointer(lower)
        .launch(slots, PACK_THREADS);
    long step = (long) slots * inner;
    long gate = gates.room(8 * step);
    launch(table, tile, new Pass(ExpertTable.GATE, 2, up, upper, lower, gate, step));
    Activation activation = table.mixture().experts().get(0).activation();
    long innerUpper = innerHigh.room(innerBytes);
    long innerLower = both ? innerLow.room(innerBytes) : 0;
    launch
        .of(gatePack)
        .number(CudaElements.number(activation))
        .pointer(gate)
        .pointer(gate + 4 * step)
        .number(inner)
        .pointer(innerUpper)
        .pointer(innerLower)
        .launch(slots, PACK_THREADS);
    launch(
        table, tile, new Pass(ExpertTable.DOWN, 1, table.down(), innerUpper, innerLower, out, 0));
  }

  /// Products with one matrix of each expert, or with some that follow each other.
  ///
  /// @param first of the matrices
  /// @param count of them
  /// @param shape of each
  /// @param high device address of the rows as bf16
  /// @param low of what rounding took, 0 for none
  /// @param step elements of the results of one matrix
  private record Pass(
      int first, int count, ExpertTable.Matrix shape, long high, long low, long out, long step) {}

  private void launch(ExpertTable table, int tile, Pass pass) {
    int size = 0;
    while (TILES[size] != tile) {
      size++;
    }
    CudaKernels.Sized kernel = kernels[size];
    if (kernel == null) {
      throw new IllegalStateException("there is no product of tiles of " + tile + " slots");
    }
    ExpertTable.Matrix shape = pass.shape();
    call.set(ValueLayout.JAVA_LONG, 0, table.pointer(pass.first()));
    call.set(ValueLayout.JAVA_LONG, 8, lists.tiles());
    call.set(ValueLayout.JAVA_LONG, 16, lists.tileCount());
    call.set(ValueLayout.JAVA_LONG, 24, pass.high());
    call.set(ValueLayout.JAVA_LONG, 32, pass.out());
    call.set(ValueLayout.JAVA_LONG, 40, 2L * shape.columns());
    call.set(ValueLayout.JAVA_INT, 48, shape.columns());
    call.set(ValueLayout.JAVA_INT, 52, shape.columns());
    call.set(ValueLayout.JAVA_INT, 56, shape.outputs());
    call.set(ValueLayout.JAVA_INT, 60, -1);
    call.set(ValueLayout.JAVA_LONG, 64, pass.low());
    call.set(ValueLayout.JAVA_LONG, 72, pass.step());
    launch
        .of(kernel.function())
        .structure(call)
        .shared(kernel.sharedBytes())
        .launch(
            (shape.outputs() + OUTPUTS - 1) / OUTPUTS, lists.mostTiles(), pass.count(), THREADS);
  }

  @Override
  public void close() {
    for (DeviceArray array : new DeviceArray[] {high, low, gates, innerHigh, innerLow}) {
      array.close();
    }
    arena.close();
  }
}
