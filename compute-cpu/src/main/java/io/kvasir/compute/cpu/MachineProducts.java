package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.MachineCode;
import io.kvasir.compute.x86.Operands;
import io.kvasir.compute.x86.RowCall;
import io.kvasir.compute.x86.RowProducts;
import org.jspecify.annotations.Nullable;

/// Products in machine code ([RowProducts]); those of floats have the bits of a [RowKernel] where
/// the vectors of the Vector API have sixteen lanes.
///
/// The rows of `x` are packed in tiles of four once per product. Weights are read where they lie,
/// once for a tile: from memory for the first one, for the others from the L2 cache.
final class MachineProducts implements Packing.Packer {
  /// Whether this machine runs the code of AVX-512, and vectors of the Vector API are as long as
  /// its vectors, so that sums have the same order.
  static final boolean SUPPORTED = L == 16 && MachineCode.isSupported();

  private static final int TILE = RowProducts.MOST_ROWS;

  /// Bytes of weights that stay in the L2 cache from tile to tile.
  private static final int BLOCK_BYTES = 256 << 10;

  private final Operands operands;
  private final @Nullable Instructions instructions;
  private final MachineInputs inputs;

  /// @param instructions what the code is of, null where there is none
  /// @param inputs of these and other products with the same operands
  MachineProducts(Operands operands, @Nullable Instructions instructions, MachineInputs inputs) {
    this.operands = operands;
    this.instructions = instructions;
    this.inputs = inputs;
  }

  /// Whether a product can be computed, whatever the number of its rows.
  boolean takes(Product p) {
    RowProducts kernel = kernel(p);
    return kernel != null
        && kernel.takes(p.columns)
        && p.weights.isNative()
        && p.weights.byteSize() >= p.outputs * p.rowBytes;
  }

  @Nullable RowProducts kernel(Product p) {
    return instructions == null ? null : RowProducts.of(p.type, operands, instructions);
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
    return (p.rows + TILE - 1) / TILE;
  }

  @Override
  public void tile(Product p, int tile, int worker) {
    int first = tile * TILE;
    inputs.tile(p, first, Math.min(TILE, p.rows - first), worker);
  }

  /// Outputs `from .. to - 1` of all rows.
  void multiply(Product p, int from, int to, RowCall call) {
    RowProducts kernel = kernel(p);
    if (kernel == null) {
      throw new IllegalArgumentException("no machine code multiplies " + p.type);
    }
    int block = p.rows <= TILE ? to - from : Math.max(TILE, (int) (BLOCK_BYTES / p.rowBytes));
    for (int o = from; o < to; o += block) {
      int end = Math.min(o + block, to);
      for (int r = 0; r < p.rows; r += TILE) {
        int rows = Math.min(TILE, p.rows - r);
        call.inputs(inputs.address(p, r), rows, p.columns);
        tile(kernel, p, r, o, end, call);
      }
    }
  }

  /// A tile of rows of `x`. The weight rows of a group are far from each other, see [RowKernel].
  private static void tile(RowProducts kernel, Product p, int row, int from, int to, RowCall call) {
    int size = kernel.groupSize(call.rows());
    int far = (to - from) / size;
    groups(kernel, p, row, from, size, far, 1, far, call);
    int rest = from + size * far;
    groups(kernel, p, row, rest, to - rest, 1, 1, 1, call);
  }

  /// Output `i` of group `g` is `from + g * step + i * stride`.
  private static void groups(
      RowProducts kernel,
      Product p,
      int row,
      int from,
      int size,
      int stride,
      int step,
      int count,
      RowCall call) {
    if (size == 0 || count == 0) {
      return;
    }
    call.groups(from * p.rowBytes, stride * p.rowBytes, step * p.rowBytes, count);
    kernel.multiply(call, size, p.weights);
    int index = 0;
    for (int g = 0; g < count; g++) {
      for (int r = row; r < row + call.rows(); r++) {
        int to = p.outAt + r * p.outStride;
        for (int i = 0; i < size; i++) {
          int output = from + g * step + i * stride;
          p.out[to + output] = call.sum(index++) + p.biasOf(output);
        }
      }
    }
  }
}
