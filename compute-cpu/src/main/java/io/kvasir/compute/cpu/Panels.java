package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

/// Products of many rows with [PanelTile]: the rows of `x` are packed once per product, weight rows
/// are decoded and packed a few at a time into the L2 cache and used for all rows of `x`.
///
/// Weights are read once per product and `x` once per [#blockOutputs] outputs.
final class Panels {
  /// Bytes of decoded weights that stay in the L2 cache.
  private static final int BLOCK_BYTES = 640 << 10;

  private static final int MOST_OUTPUTS = 64;
  private static final long SERIAL_FLOATS = 32 << 10;

  private final KernelPool pool;
  private final Packing packing = new Packing();
  private final PackedRows inputs = new PackedRows();

  Panels(KernelPool pool) {
    this.pool = pool;
  }

  /// Packs the rows of `x` for [#multiply] of this and other products with the same `x`.
  void pack(Product p) {
    inputs.reserve(p.rows + PanelTile.ROWS, p.columns);
    packing.product = p;
    int tiles = (p.rows + PanelTile.ROWS - 1) / PanelTile.ROWS;
    if ((long) p.rows * p.columns > SERIAL_FLOATS) {
      pool.run(packing, tiles);
    } else {
      for (int tile = 0; tile < tiles; tile++) {
        packing.run(tile, 0);
      }
    }
  }

  /// Weight rows that are decoded before they are used.
  private static int blockOutputs(Product p) {
    int fitting = BLOCK_BYTES / Float.BYTES / p.columns / PanelTile.OUTPUTS * PanelTile.OUTPUTS;
    return Math.clamp(fitting, PanelTile.OUTPUTS, MOST_OUTPUTS);
  }

  /// Outputs `from .. to - 1` of all rows.
  void multiply(Product p, int from, int to, Workspace space) {
    int block = blockOutputs(p);
    space.panel.reserve(block, p.columns);
    for (int o = from; o < to; o += block) {
      int count = Math.min(block, to - o);
      decode(p, o, count, space);
      tiles(p, o, count, space);
    }
  }

  private static void decode(Product p, int first, int count, Workspace space) {
    PanelDecoders.Decoder direct = PanelDecoders.find(p.type);
    RowDecoder decoder = Kernels.decoder(p.type);
    float[] row = space.weights(p.columns + MOST_OUTPUTS * L);
    int end = F.loopBound(p.columns);
    long tileBytes = PackedRows.tileBytes(PanelTile.OUTPUTS, p.columns);
    for (int i = 0; i < count; i++) {
      long at = (first + i) * p.rowBytes;
      long tileAt = i / PanelTile.OUTPUTS * tileBytes;
      if (direct != null && end == p.columns) {
        long rowAt = tileAt + (long) (i % PanelTile.OUTPUTS) * L * Float.BYTES;
        direct.decode(p.weights, at, space.panel.memory(), rowAt, end);
        continue;
      }
      decoder.decode(p.weights, at, row, 0, p.columns);
      space.panel.put(row, 0, end, tileAt, i % PanelTile.OUTPUTS, PanelTile.OUTPUTS);
      System.arraycopy(row, end, row, p.columns + i * L, p.columns - end);
    }
  }

  private void tiles(Product p, int firstOutput, int count, Workspace space) {
    PanelTile tile = space.panelTile;
    int tiles = (count + PanelTile.OUTPUTS - 1) / PanelTile.OUTPUTS;
    for (int r = 0; r < p.rows; r += PanelTile.ROWS) {
      int rows = PanelTile.tileRows(r, p.rows);
      tile.multiply(
          inputs.memory(),
          PackedRows.tileBytes(r, p.columns),
          rows,
          space.panel.memory(),
          tiles,
          p.columns / L);
      for (int i = r; i < Math.min(r + rows, p.rows); i++) {
        scatter(p, i, firstOutput, count, tile.sums, (i - r) * PanelTile.OUTPUTS, rows);
        if (p.columns % L != 0) {
          addTails(p, i, firstOutput, count, space.weights(0));
        }
        addBias(p, i, firstOutput, count);
      }
    }
  }

  private static void scatter(
      Product p, int row, int output, int count, float[] sums, int at, int rows) {
    int to = p.outAt + row * p.outStride + output;
    for (int o = 0; o < count; o++) {
      int tile = o / PanelTile.OUTPUTS;
      p.out[to + o] = sums[at + tile * rows * PanelTile.OUTPUTS + o % PanelTile.OUTPUTS];
    }
  }

  private static void addTails(Product p, int row, int output, int count, float[] tails) {
    int end = F.loopBound(p.columns);
    int xAt = p.xAt + row * p.xStride;
    int to = p.outAt + row * p.outStride + output;
    for (int o = 0; o < count; o++) {
      float sum = p.out[to + o];
      for (int k = end; k < p.columns; k++) {
        sum = Math.fma(p.x[xAt + k], tails[p.columns + o * L + k - end], sum);
      }
      p.out[to + o] = sum;
    }
  }

  private static void addBias(Product p, int row, int output, int count) {
    float[] bias = p.bias;
    int to = p.outAt + row * p.outStride + output;
    if (bias != null) {
      for (int o = 0; o < count; o++) {
        p.out[to + o] += bias[output + o];
      }
    } else {
      for (int o = 0; o < count; o++) {
        p.out[to + o] += 0f; // as the kernels of one row do: -0 becomes 0
      }
    }
  }

  /// Packs a tile of rows of `x` per part.
  private final class Packing implements KernelPool.Region {
    private Product product = new Product();

    @Override
    public void run(int part, int worker) {
      Product p = product;
      int first = part * PanelTile.ROWS;
      int rows = PanelTile.tileRows(first, p.rows);
      long tileAt = PackedRows.tileBytes(first, p.columns);
      for (int r = 0; r < rows; r++) {
        // Rows beyond the last repeat it; their results are dropped.
        int row = Math.min(first + r, p.rows - 1);
        inputs.put(p.x, p.xAt + row * p.xStride, p.columns, tileAt, r, rows);
      }
    }
  }
}
