package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.AmxCall;
import io.kvasir.compute.x86.AmxProducts;
import io.kvasir.compute.x86.Operands;
import io.kvasir.compute.x86.RowProducts;
import io.kvasir.compute.x86.RowRounding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Products of any number of rows in tile registers ([AmxProducts]).
///
/// A block of 64 weight rows is decoded to the L2 cache and multiplied with all rows of `x`, up to
/// 32 at a time; sixteen rows take as long as one.
final class AmxPanels {
  private static final int OUTPUTS = AmxProducts.MOST_OUTPUTS;
  private static final int ROWS = AmxProducts.MOST_ROWS;
  private static final int TILE = AmxProducts.TILE;
  private static final long CACHE_LINE = 64;

  /// Calls of a block beside which the weights of the next one are asked for.
  private static final int CALLS_AHEAD = 4;

  private final KernelPool pool;
  private final Turning turning = new Turning();
  private final RowRounding[] roundings;
  private final AmxCall[] calls;
  private MemorySegment inputs = MemorySegment.NULL;

  AmxPanels(KernelPool pool) {
    this.pool = pool;
    roundings = new RowRounding[pool.threads()];
    calls = new AmxCall[pool.threads()];
    for (int i = 0; i < calls.length; i++) {
      roundings[i] = new RowRounding();
      calls[i] = new AmxCall();
    }
  }

  /// Whether a product can be computed, whatever the number of its rows.
  boolean takes(Product p) {
    RowProducts kernel = RowProducts.of(p.type, Operands.BF16);
    return kernel != null
        && kernel.takes(p.columns)
        && p.outputs >= OUTPUTS
        && p.weights.isNative()
        && p.weights.byteSize() >= p.outputs * p.rowBytes;
  }

  /// Packs the rows of `x` for [#multiply] of this and other products with the same `x`.
  void pack(Product p) {
    long bytes = AmxProducts.bytes(p.rows, p.columns);
    if (inputs.byteSize() < bytes) {
      inputs = Arena.ofAuto().allocate(bytes, CACHE_LINE);
    }
    turning.product = p;
    int tiles = (p.rows + TILE - 1) / TILE;
    if (tiles == 1) {
      turning.run(0, 0);
    } else {
      pool.run(turning, tiles);
    }
  }

  private long address(int row, int columns) {
    return inputs.address() + AmxProducts.bytes(row, columns);
  }

  /// Outputs `from .. to - 1` of all rows.
  void multiply(Product p, int from, int to, int worker, Workspace space) {
    for (int o = from; o < to; o += OUTPUTS) {
      block(p, o, Math.min(o + OUTPUTS, to), to, worker, space);
    }
  }

  private void block(Product p, int from, int to, int end, int worker, Workspace space) {
    RowProducts kernel = Objects.requireNonNull(RowProducts.of(p.type, Operands.BF16));
    int first = Math.min(from, p.outputs - OUTPUTS);
    long panel = space.decoded(AmxProducts.bytes(OUTPUTS, p.columns)).address();
    for (int o = 0; o < OUTPUTS; o += TILE) {
      long at = (first + o) * p.rowBytes;
      long tiles = panel + AmxProducts.bytes(o, p.columns);
      kernel.decodeTiles(space.call(), p.weights, at, p.rowBytes, p.columns, tiles);
    }
    AmxCall call = calls[worker];
    int count = (p.rows + ROWS - 1) / ROWS;
    int ahead = Math.min(count, CALLS_AHEAD);
    long lines = (long) p.columns / AmxProducts.COLUMNS * AmxCall.LINES_AHEAD;
    long bytes = Math.min(to - from, end - to) * p.rowBytes;
    long step = Math.min(CACHE_LINE, (bytes + ahead * lines - 1) / (ahead * lines));
    for (int t = 0; t < count; t++) {
      int row = t * ROWS;
      int rows = Math.min(ROWS, p.rows - row);
      int turn = t - (count - ahead);
      long next = p.weights.address() + to * p.rowBytes + turn * lines * step;
      call.next(next, turn < 0 ? 0 : step);
      AmxProducts.multiply(call, address(row, p.columns), rows, panel, p.columns);
      MachinePanels.store(p, row, rows, from - first, from, to, call.results());
    }
  }

  /// Rounds and turns a tile of rows of `x` per part.
  private final class Turning implements KernelPool.Region {
    private Product product = new Product();

    @Override
    public void run(int part, int worker) {
      Product p = product;
      int first = part * TILE;
      long tiles = address(first, p.columns);
      for (int r = first; r < Math.min(first + TILE, p.rows); r++) {
        long to = tiles + (r - first) * CACHE_LINE;
        int at = p.xAt + r * p.xStride;
        roundings[worker].round(p.x, at, p.columns, to, AmxProducts.TILE_BYTES);
      }
      AmxProducts.turn(calls[worker], tiles, p.columns / AmxProducts.COLUMNS);
    }
  }
}
