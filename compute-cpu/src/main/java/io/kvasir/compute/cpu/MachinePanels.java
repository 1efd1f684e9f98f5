package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.Operands;
import io.kvasir.compute.x86.PanelCall;
import io.kvasir.compute.x86.PanelProducts;
import io.kvasir.compute.x86.RowCall;
import io.kvasir.compute.x86.RowProducts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Products of more than four rows in machine code, with the bits of [MachineProducts].
///
/// A block of weight rows is decoded, in AVX-512 while it is multiplied with the first four rows of
/// `x`, and stays decoded in the L2 cache for all others, which come in tiles of up to six rows.
/// The last tiles ask for the weights of the next block, so that memory is read all the time.
final class MachinePanels implements Packing.Packer {
  /// Fewest outputs: a block may begin before its first output to have whole tiles.
  private static final int LEAST_OUTPUTS = PanelProducts.MOST_OUTPUTS;

  private static final int TILE = PanelProducts.TILE;

  /// Fewest rows of `x`: decoding anew for each four of fewer rows is as fast.
  private static final int LEAST_ROWS = 12;

  /// The same for bf16, whose products take less time beside the decoding, and for AVX2, which has
  /// too few registers to use decoded weights for four rows as often as a panel does.
  private static final int LEAST_ROWS_OF_OTHERS = RowProducts.MOST_ROWS * 2 + 1;

  /// Rows of `x` that are taken only where their bytes are few enough to stay in the L2 cache
  /// beside the weights.
  private static final int FEW_ROWS = 32;

  private static final int FEW_BYTES = 256 << 10;

  /// Decoded weights that stay in the L2 cache: 512 KiB of floats, 256 KiB of bf16.
  private static final int BLOCK_WEIGHTS = 128 << 10;

  /// Tiles of `x` beside which the next weights are read.
  private static final int TILES_AHEAD = 4;

  private final Operands operands;
  private final MachineProducts few;
  private final MachineInputs inputs;
  private final PanelProducts products;
  private final int leastRows;

  /// Rows of `x` that are multiplied while weights are decoded.
  private final int first;

  /// @param inputs of these and other products with the same operands
  /// @param few the same products of fewer rows
  MachinePanels(
      Operands operands, Instructions instructions, MachineInputs inputs, MachineProducts few) {
    this.operands = operands;
    this.inputs = inputs;
    products = PanelProducts.of(operands, instructions);
    boolean isWide = instructions == Instructions.AVX512;
    first = isWide ? RowProducts.MOST_ROWS : 0;
    leastRows = isWide && operands == Operands.F32 ? LEAST_ROWS : LEAST_ROWS_OF_OTHERS;
    this.few = few;
  }

  /// Whether a product can be computed.
  boolean takes(Product p) {
    boolean isEnough =
        p.rows >= FEW_ROWS || p.rows >= leastRows && operands.bytes(p.rows, p.columns) <= FEW_BYTES;
    return isEnough && p.outputs >= LEAST_OUTPUTS && few.takes(p);
  }

  @Override
  public void clear() {
    inputs.clear();
  }

  @Override
  public long place(Product p) {
    return inputs.place(p);
  }

  @Override
  public void reserve() {
    inputs.reserve();
  }

  @Override
  public int tiles(Product p) {
    return 1 + laterTiles(p);
  }

  @Override
  public void tile(Product p, int tile, int worker) {
    int from = tile == 0 ? 0 : start(p, tile - 1);
    inputs.tile(p, from, (tile == 0 ? first : start(p, tile)) - from, worker);
  }

  /// Tiles of `x` behind the first.
  private int laterTiles(Product p) {
    return (p.rows - first + PanelProducts.MOST_ROWS - 1) / PanelProducts.MOST_ROWS;
  }

  /// The first row of a tile behind the first; tiles are as equal as can be.
  private int start(Product p, int tile) {
    return first + (int) ((long) (p.rows - first) * tile / laterTiles(p));
  }

  /// Outputs `from .. to - 1` of all rows.
  void multiply(Product p, int from, int to, Workspace space) {
    int fitting = BLOCK_WEIGHTS / p.columns / TILE * TILE;
    int most = Math.clamp(fitting, TILE, PanelProducts.MOST_OUTPUTS);
    int blocks = (to - from + most - 1) / most;
    int block = ((to - from + blocks - 1) / blocks + TILE - 1) / TILE * TILE;
    for (int o = from; o < to; o += block) {
      block(p, o, Math.min(o + block, to), to, space);
    }
  }

  private void block(Product p, int from, int to, int end, Workspace space) {
    RowProducts kernel = Objects.requireNonNull(few.kernel(p));
    PanelCall panel = space.panelCall();
    int tiles = (to - from + TILE - 1) / TILE;
    int decodedFrom = Math.min(from, p.outputs - TILE * tiles);
    int skipped = from - decodedFrom;
    long weights = space.decoded(operands.bytes(TILE * tiles, p.columns)).address();
    RowCall call = space.call();
    call.inputs(inputs.address(p, 0), first, p.columns);
    call.groups(decodedFrom * p.rowBytes, p.rowBytes, TILE * p.rowBytes, tiles);
    kernel.decode(call, p.weights, weights, panel);
    store(p, 0, first, skipped, from, to, panel.results());

    int count = laterTiles(p);
    int vectors = p.columns / operands.lanes();
    long steps = (long) tiles * vectors;
    long next = p.weights.address() + to * p.rowBytes;
    int ahead = Math.min(count, TILES_AHEAD);
    long step = (Math.min(to - from, end - to) * p.rowBytes + ahead * steps - 1) / (ahead * steps);
    for (int t = 0; t < count; t++) {
      int row = start(p, t);
      int rows = start(p, t + 1) - row;
      int turn = t - (count - ahead);
      panel.next(next + turn * steps * step, turn < 0 ? 0 : step);
      long tile = inputs.address(p, row);
      products.multiply(panel, tile, rows, weights, tiles, vectors);
      store(p, row, rows, skipped, from, to, panel.results());
    }
  }

  /// Writes outputs `from .. to - 1` of some rows from results, of which `skipped` come before.
  static void store(
      Product p, int row, int rows, int skipped, int from, int to, MemorySegment results) {
    float[] bias = p.bias;
    for (int r = 0; r < rows; r++) {
      long at = ((long) r * PanelProducts.MOST_OUTPUTS + skipped) * Float.BYTES;
      int out = p.outAt + (row + r) * p.outStride;
      int o = from;
      for (; o + L <= to; o += L) {
        // Zero is added where there is no bias, as elsewhere: a sum of -0 becomes 0.
        FloatVector addends =
            bias == null ? FloatVector.zero(F) : FloatVector.fromArray(F, bias, o);
        FloatVector.fromMemorySegment(F, results, at, ByteOrder.nativeOrder())
            .add(addends)
            .intoArray(p.out, out + o);
        at += (long) L * Float.BYTES;
      }
      for (; o < to; o++) {
        p.out[out + o] = results.get(ValueLayout.JAVA_FLOAT, at) + p.biasOf(o);
        at += Float.BYTES;
      }
    }
  }
}
