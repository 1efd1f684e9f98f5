package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;

/// Products of many rows with [PanelTile]: the rows of `x` are packed once per product, weight rows
/// are decoded and packed a few at a time into the L2 cache and used for all rows of `x`.
///
/// Weights are read once per product and `x` once per block of outputs.
final class Panels implements Packing.Packer {
  /// Bytes of decoded weights that stay in the L2 cache.
  private static final int BLOCK_BYTES = 640 << 10;

  private static final int MOST_OUTPUTS = 64;

  private MemorySegment inputs = MemorySegment.NULL;
  private long size;

  @Override
  public void clear() {
    size = 0;
  }

  @Override
  public long place(Product p) {
    long at = size;
    size += PackedRows.tileBytes(tiles(p) * PanelTile.ROWS, p.columns);
    return at;
  }

  @Override
  public void reserve() {
    inputs = Workspace.grown(inputs, size);
  }

  @Override
  public int tiles(Product p) {
    return (p.rows + PanelTile.ROWS - 1) / PanelTile.ROWS;
  }

  @Override
  public void tile(Product p, int tile, int worker) {
    int first = tile * PanelTile.ROWS;
    int rows = PanelTile.tileRows(first, p.rows);
    long tileAt = p.packedAt + PackedRows.tileBytes(first, p.columns);
    for (int r = 0; r < rows; r++) {
      // Rows beyond the last repeat it; their results are dropped.
      int row = Math.min(first + r, p.rows - 1);
      PackedRows.put(p.x, p.inputAt(row), p.columns, inputs, tileAt, r, rows);
    }
  }

  /// Tiles of weight rows that are decoded before they are used.
  private static int blockTiles(Product p) {
    int fitting = BLOCK_BYTES / Float.BYTES / p.columns / PanelTile.OUTPUTS;
    return Math.clamp(fitting, 1, MOST_OUTPUTS / PanelTile.OUTPUTS);
  }

  /// Outputs `from .. to - 1` of all rows. Those of a tile are far from each other, as in
  /// [RowKernel], so that their weights are four long streams.
  void multiply(Product p, int from, int to, Workspace space) {
    int block = blockTiles(p);
    int stride = RowKernel.stride(p.rowBytes, (to - from) / PanelTile.OUTPUTS, 1);
    Outputs outputs = space.outputs;
    for (int o = 0; o < stride; o += block) {
      outputs.set(from + o, 1, stride, Math.min(block, stride - o) * PanelTile.OUTPUTS);
      block(p, outputs, space);
    }
    int step = block * PanelTile.OUTPUTS;
    for (int o = from + stride * PanelTile.OUTPUTS; o < to; o += step) {
      outputs.set(o, PanelTile.OUTPUTS, 1, Math.min(step, to - o));
      block(p, outputs, space);
    }
  }

  /// The outputs of a block of tiles: output `i` of tile `t` is `first + t * next + i * stride`.
  static final class Outputs {
    private int first;
    private int next;
    private int stride;
    private int count;

    /// Where the rows of a tile start.
    private final PanelDecoders.Source source = new PanelDecoders.Source();

    private void set(int firstOutput, int nextTile, int outputStride, int outputs) {
      first = firstOutput;
      next = nextTile;
      stride = outputStride;
      count = outputs;
    }

    /// The `i`-th output, of `0 .. count - 1`.
    private int at(int i) {
      return first + i / PanelTile.OUTPUTS * next + i % PanelTile.OUTPUTS * stride;
    }
  }

  private void block(Product p, Outputs outputs, Workspace space) {
    space.panel.reserve(outputs.count + PanelTile.OUTPUTS, p.columns);
    PanelDecoders.Decoder direct = PanelDecoders.find(p.type);
    if (direct != null && p.columns % L == 0) {
      decode(p, outputs, direct, space);
    } else {
      decode(p, outputs, space);
    }
    tiles(p, outputs, space);
  }

  private static void decode(
      Product p, Outputs outputs, PanelDecoders.Decoder decoder, Workspace space) {
    long tileBytes = PackedRows.tileBytes(PanelTile.OUTPUTS, p.columns);
    outputs.source.weights = p.weights;
    for (int i = 0; i < outputs.count; i += PanelTile.OUTPUTS) {
      for (int row = 0; row < PanelTile.OUTPUTS; row++) {
        // Rows beyond the last repeat it; their results are dropped.
        outputs.source.rows[row] = outputs.at(Math.min(i + row, outputs.count - 1)) * p.rowBytes;
      }
      long tileAt = i / PanelTile.OUTPUTS * tileBytes;
      decoder.decode(outputs.source, space.panel.memory(), tileAt, p.columns);
    }
  }

  private static void decode(Product p, Outputs outputs, Workspace space) {
    RowDecoder decoder = Kernels.decoder(p.type);
    float[] row = space.weights(p.columns + MOST_OUTPUTS * L);
    int end = F.loopBound(p.columns);
    long tileBytes = PackedRows.tileBytes(PanelTile.OUTPUTS, p.columns);
    for (int i = 0; i < outputs.count; i++) {
      decoder.decode(p.weights, outputs.at(i) * p.rowBytes, row, 0, p.columns);
      long tileAt = i / PanelTile.OUTPUTS * tileBytes;
      space.panel.put(row, 0, end, tileAt, i % PanelTile.OUTPUTS, PanelTile.OUTPUTS);
      System.arraycopy(row, end, row, p.columns + i * L, p.columns - end);
    }
  }

  private void tiles(Product p, Outputs outputs, Workspace space) {
    PanelTile tile = space.panelTile;
    int tiles = (outputs.count + PanelTile.OUTPUTS - 1) / PanelTile.OUTPUTS;
    for (int r = 0; r < p.rows; r += PanelTile.ROWS) {
      int rows = PanelTile.tileRows(r, p.rows);
      tile.multiply(
          inputs,
          p.packedAt + PackedRows.tileBytes(r, p.columns),
          rows,
          space.panel.memory(),
          tiles,
          p.columns / L);
      for (int i = r; i < Math.min(r + rows, p.rows); i++) {
        store(p, i, outputs, space, (i - r) * PanelTile.OUTPUTS, rows * PanelTile.OUTPUTS);
      }
    }
  }

  /// Writes the sums of row `row`, those of its tile `t` from `sums[at + t * pairs]` on.
  private static void store(
      Product p, int row, Outputs outputs, Workspace space, int at, int pairs) {
    float[] sums = space.panelTile.sums;
    float[] tails = space.weights(0);
    int to = p.outAt + row * p.outStride;
    int end = F.loopBound(p.columns);
    int xAt = p.inputAt(row);
    int output = outputs.first;
    int from = at;
    for (int i = 0; i < outputs.count; i += PanelTile.OUTPUTS) {
      for (int o = 0; o < Math.min(PanelTile.OUTPUTS, outputs.count - i); o++) {
        float sum = sums[from + o];
        for (int k = end; k < p.columns; k++) {
          sum = Math.fma(p.x[xAt + k], tails[p.columns + (i + o) * L + k - end], sum);
        }
        int column = output + o * outputs.stride;
        p.out[to + column] = sum + p.biasOf(column);
      }
      output += outputs.next;
      from += pairs;
    }
  }
}
