package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.AmxCall;
import io.kvasir.compute.x86.AmxProducts;
import io.kvasir.compute.x86.PanelProducts;
import io.kvasir.compute.x86.RowRounding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Products of any number of rows in tile registers ([AmxProducts]).
///
/// Up to sixteen rows of `x` are multiplied with weights while these are in the L1 cache; for more,
/// a block of 64 weight rows is decoded to the L2 cache and multiplied with all rows, 32 at a time.
final class AmxPanels implements Packing.Packer {
  /// Rows of results are as far from each other as those of [MachinePanels], which stores them.
  private static final int OUTPUTS = PanelProducts.MOST_OUTPUTS;

  private static final int ROWS = AmxProducts.MOST_ROWS;
  private static final int TILE = AmxProducts.TILE;
  private static final long CACHE_LINE = 64;

  /// Calls of a block beside which the weights of the next one are asked for.
  private static final int CALLS_AHEAD = 8;

  private final Scratch[] scratches;
  private MemorySegment inputs = MemorySegment.NULL;
  private long size;

  AmxPanels(int threads) {
    scratches = new Scratch[threads];
    for (int i = 0; i < scratches.length; i++) {
      scratches[i] = new Scratch();
    }
  }

  /// Memory of one thread.
  private static final class Scratch {
    private final AmxCall call = new AmxCall();
    private final AmxProducts.Weights weights = new AmxProducts.Weights();
    private final RowRounding rounding = new RowRounding();
    private MemorySegment row = MemorySegment.NULL;

    /// A row of `x` as bf16.
    long rounded(Product p, int r) {
      long bytes = AmxProducts.bytes(1, p.columns);
      if (row.byteSize() < bytes) {
        row = Arena.ofAuto().allocate(bytes, CACHE_LINE);
      }
      rounding.round(p.x, p.inputAt(r), p.columns, row.address(), CACHE_LINE);
      return row.address();
    }
  }

  /// Whether a product can be computed, whatever the number of its rows.
  boolean takes(Product p) {
    AmxProducts kernel = AmxProducts.of(p.type);
    return kernel != null
        && kernel.takes(p.columns)
        && p.outputs >= OUTPUTS
        && p.weights.isNative()
        && p.weights.byteSize() >= p.outputs * p.rowBytes;
  }

  @Override
  public void clear() {
    size = 0;
  }

  @Override
  public long place(Product p) {
    long at = size;
    size += AmxProducts.bytes(tiles(p) * TILE, p.columns);
    return at;
  }

  @Override
  public void reserve() {
    inputs = Workspace.grown(inputs, size);
  }

  @Override
  public int tiles(Product p) {
    return (p.rows + TILE - 1) / TILE;
  }

  /// Rounds and spreads the rows of a tile.
  @Override
  public void tile(Product p, int tile, int worker) {
    int first = tile * TILE;
    int width = Math.min(TILE, p.rows);
    long tiles = address(p, first);
    Scratch scratch = scratches[worker];
    for (int r = first; r < Math.min(first + TILE, p.rows); r++) {
      long row = scratch.rounded(p, r);
      AmxProducts.spread(scratch.call, row, r - first, width, p.columns, tiles);
    }
  }

  private long address(Product p, int row) {
    return inputs.address() + p.packedAt + AmxProducts.bytes(row, p.columns);
  }

  /// Outputs `from .. to - 1` of all rows.
  void multiply(Product p, int from, int to, int worker, Workspace space) {
    AmxProducts kernel = Objects.requireNonNull(AmxProducts.of(p.type));
    AmxCall call = scratches[worker].call;
    for (int o = from; o < to; o += OUTPUTS) {
      int end = Math.min(o + OUTPUTS, to);
      int first = Math.min(o, p.outputs - OUTPUTS);
      AmxProducts.Weights weights =
          scratches[worker].weights.set(p.weights, first * p.rowBytes, p.rowBytes, p.columns);
      if (p.rows <= TILE) {
        kernel.multiply(space.call(), call, address(p, 0), p.rows, weights);
        MachinePanels.store(p, 0, p.rows, o - first, o, end, call.results());
      } else {
        long panel = space.decoded(AmxProducts.bytes(OUTPUTS, p.columns)).address();
        kernel.decode(space.call(), weights, panel);
        many(p, o, end, to, call, panel);
      }
    }
  }

  private void many(Product p, int from, int to, int end, AmxCall call, long panel) {
    int skipped = from - Math.min(from, p.outputs - OUTPUTS);
    int count = (p.rows + ROWS - 1) / ROWS;
    int ahead = Math.min(count, CALLS_AHEAD);
    // Both halves of the outputs go along K.
    long lines = 2L * p.columns / AmxProducts.COLUMNS * AmxCall.LINES_AHEAD;
    long bytes = Math.min(to - from, end - to) * p.rowBytes;
    long step = Math.min(CACHE_LINE, (bytes + ahead * lines - 1) / (ahead * lines));
    for (int t = 0; t < count; t++) {
      int row = t * ROWS;
      int rows = Math.min(ROWS, p.rows - row);
      int turn = t - (count - ahead);
      long next = p.weights.address() + to * p.rowBytes + turn * lines * step;
      call.next(next, turn < 0 ? 0 : step);
      AmxProducts.multiply(call, address(p, row), rows, panel, p.columns);
      MachinePanels.store(p, row, rows, skipped, from, to, call.results());
    }
  }
}
