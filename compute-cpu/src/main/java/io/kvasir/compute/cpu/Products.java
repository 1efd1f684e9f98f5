package io.kvasir.compute.cpu;

import io.kvasir.compute.Activation;
import io.kvasir.compute.x86.AmxProducts;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.Operands;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Matrix products over the pool, cut by outputs.
///
/// Where there is machine code, few rows go through [MachineProducts] and many through
/// [MachinePanels]. Elsewhere one or two rows go through the format's [RowKernel]; more rows decode
/// a few rows of weights into the cache and use them for all rows, as [Panels] where the machine
/// has 16 lanes and with a [DotTile] elsewhere. All give the same bits, but where machine code
/// computes with [Operands#BF16] or in tile registers ([AmxPanels]): then a matrix that it takes is
/// multiplied by it only, whatever the number of rows. Weights are read once per product.
final class Products {
  private static final int ROW_KERNEL_ROWS = 2;

  /// Rows up to which decoding weights anew for each four rows is no slower than decoding them to
  /// memory once.
  private static final int MACHINE_ROWS = 64;

  private final Operands operands;

  /// Most rows whose weights machine code decodes anew for each four: any number where nothing else
  /// has its bits.
  private final int machineRows;

  /// Bytes of decoded weights that a part works on; they stay in the L2 cache.
  private static final int BLOCK_BYTES = 256 << 10;

  private static final long SERIAL_BYTES = 32 << 10;
  private static final int PARTS_PER_THREAD = 8;

  private final KernelPool pool;
  private final Workspace[] workspaces;
  private final Packing packing;
  private final Panels panels = new Panels();
  private final MachineProducts machine;
  private final @Nullable MachinePanels machinePanels;
  private final @Nullable AmxPanels tiles;
  private final Running running = new Running();

  Products(KernelPool pool, Workspace[] workspaces, KernelCode code) {
    this.pool = pool;
    this.workspaces = workspaces;
    packing = new Packing(pool);
    operands = code.isBf16() ? Operands.BF16 : Operands.F32;
    boolean isAlone = code.isBf16() || !PanelTile.SUPPORTED;
    machineRows = isAlone ? Integer.MAX_VALUE : MACHINE_ROWS;
    @Nullable Instructions instructions = code.instructions();
    MachineInputs inputs = new MachineInputs(operands, pool.threads());
    machine = new MachineProducts(operands, instructions, inputs);
    machinePanels =
        instructions == null ? null : new MachinePanels(operands, instructions, inputs, machine);
    tiles = code.hasTiles() ? new AmxPanels(pool.threads()) : null;
  }

  /// `out = W x + b` for all rows of all products; of a gated entry, `product.out = act(gate) *
  /// product`, and `gate.out` is overwritten. Parts are of equal work, whichever product they are
  /// of.
  void multiply(ProductBatch batch) {
    packing.clear();
    for (int i = 0; i < batch.size(); i++) {
      ProductBatch.Entry entry = batch.get(i);
      pack(entry.product);
      if (entry.isGated) {
        pack(entry.gate);
      }
    }
    packing.run();
    long work = 0;
    for (int i = 0; i < batch.size(); i++) {
      Product p = batch.get(i).product;
      work += p.outputs * outputWork(p);
    }
    int parts = 0;
    for (int i = 0; i < batch.size(); i++) {
      ProductBatch.Entry entry = batch.get(i);
      entry.step = step(entry.product, work);
      entry.firstPart = parts;
      parts += (entry.product.outputs + entry.step - 1) / entry.step;
    }
    running.batch = batch;
    if (work > SERIAL_BYTES) {
      pool.run(running, parts);
    } else {
      for (int part = 0; part < parts; part++) {
        running.run(part, 0);
      }
    }
  }

  private void pack(Product p) {
    switch (way(p)) {
      case TILES -> packing.add(p, Objects.requireNonNull(tiles));
      case MACHINE_PANELS -> packing.add(p, Objects.requireNonNull(machinePanels));
      case MACHINE_ROWS -> packing.add(p, machine);
      case PANELS -> packing.add(p, panels);
      case ROWS -> {}
    }
  }

  /// How a product is computed; each way packs `x` in an order of its own.
  private enum Way {
    TILES,
    MACHINE_PANELS,
    MACHINE_ROWS,
    PANELS,
    ROWS
  }

  private Way way(Product p) {
    boolean mayBeMachine = machinePanels != null && (operands == Operands.F32 || !p.isExact);
    if (tiles != null && mayBeMachine && tiles.takes(p)) {
      return Way.TILES;
    }
    if (mayBeMachine && Objects.requireNonNull(machinePanels).takes(p)) {
      return Way.MACHINE_PANELS;
    }
    if (mayBeMachine && p.rows <= machineRows && machine.takes(p)) {
      return Way.MACHINE_ROWS;
    }
    return PanelTile.SUPPORTED && p.rows > ROW_KERNEL_ROWS ? Way.PANELS : Way.ROWS;
  }

  /// What an output costs: bytes of weights, each several times where there are many rows.
  private static long outputWork(Product p) {
    return p.rowBytes * Math.max(1, p.rows / 4);
  }

  /// Outputs per part, a multiple of the tile, where all products are so much work.
  private int step(Product p, long work) {
    if (work <= SERIAL_BYTES) {
      return p.outputs;
    }
    long share = work / (outputWork(p) * pool.threads() * PARTS_PER_THREAD) + 1;
    int multiple = way(p) == Way.TILES ? AmxProducts.MOST_OUTPUTS : DotTile.SIDE;
    return (int) Math.min(share + multiple - 1, Integer.MAX_VALUE) / multiple * multiple;
  }

  /// Outputs `from .. to - 1` of all rows.
  private void range(Product p, int from, int to, int worker) {
    Workspace space = workspaces[worker];
    switch (way(p)) {
      case TILES -> Objects.requireNonNull(tiles).multiply(p, from, to, worker, space);
      case MACHINE_PANELS -> Objects.requireNonNull(machinePanels).multiply(p, from, to, space);
      case MACHINE_ROWS -> machine.multiply(p, from, to, space.call());
      case PANELS -> panels.multiply(p, from, to, space);
      case ROWS -> rows(p, from, to, space);
    }
  }

  private static void rows(Product p, int from, int to, Workspace space) {
    RowKernel kernel = Kernels.row(p.type);
    if (kernel == null || p.rows > ROW_KERNEL_ROWS || p.outputs < kernel.groupSize()) {
      blocks(p, from, to, space);
      return;
    }
    kernel.multiply(p, from, to, space.lanes);
  }

  private static void blocks(Product p, int from, int to, Workspace space) {
    int rows = BLOCK_BYTES / Float.BYTES / p.columns / DotTile.SIDE * DotTile.SIDE;
    int block = Math.max(DotTile.SIDE, p.rows < DotTile.SIDE ? DotTile.SIDE : rows);
    RowDecoder decoder = Kernels.decoder(p.type);
    float[] weights = space.weights(Math.multiplyExact(block, p.columns));
    for (int o = from; o < to; o += block) {
      int count = Math.min(block, to - o);
      for (int i = 0; i < count; i++) {
        decoder.decode(p.weights, (o + i) * p.rowBytes, weights, i * p.columns, p.columns);
      }
      tiles(p, o, count, space);
    }
  }

  private static void tiles(Product p, int firstOutput, int count, Workspace space) {
    DotTile tile = space.tile;
    float[] weights = space.weights(0);
    for (int r = 0; r < p.rows; r += DotTile.SIDE) {
      for (int i = 0; i < DotTile.SIDE; i++) {
        tile.inputRow(i, p.inputAt(Math.min(r + i, p.rows - 1)));
      }
      for (int o = 0; o < count; o += DotTile.SIDE) {
        tile.weightRows(0, p.columns, o, count - 1);
        tile.multiply(weights, p.x, p.columns);
        scatter(p, r, firstOutput + o, Math.min(DotTile.SIDE, count - o), tile.sums);
      }
    }
  }

  private static void scatter(Product p, int row, int output, int outputs, float[] sums) {
    int rows = Math.min(DotTile.SIDE, p.rows - row);
    for (int r = 0; r < rows; r++) {
      int at = p.outAt + (row + r) * p.outStride + output;
      for (int o = 0; o < outputs; o++) {
        p.out[at + o] = sums[DotTile.SIDE * r + o] + p.biasOf(output + o);
      }
    }
  }

  private void activate(ProductBatch.Entry entry, int from, int to, Workspace space) {
    Activation activation = Objects.requireNonNull(entry.activation);
    Product up = entry.product;
    Product inner = entry.isGated ? entry.gate : up;
    for (int r = 0; r < up.rows; r++) {
      for (int i = from; i < to; i += Workspace.STRIPE) {
        int count = Math.min(Workspace.STRIPE, to - i);
        int innerAt = inner.outAt + r * inner.outStride + i;
        VectorMath.activate(activation, inner.out, innerAt, count, space.stripe);
        int upAt = up.outAt + r * up.outStride + i;
        if (entry.isGated) {
          VectorMath.gate(activation, space.stripe, up.out, upAt, count);
        }
        System.arraycopy(space.stripe, 0, up.out, upAt, count);
      }
    }
  }

  private final class Running implements KernelPool.Region {
    private ProductBatch batch = new ProductBatch();

    @Override
    public void run(int part, int worker) {
      ProductBatch.Entry entry = batch.ofPart(part);
      int from = (part - entry.firstPart) * entry.step;
      int to = Math.min(entry.product.outputs, from + entry.step);
      range(entry.product, from, to, worker);
      if (entry.isGated) {
        range(entry.gate, from, to, worker);
      }
      if (entry.activation != null) {
        activate(entry, from, to, workspaces[worker]);
      }
    }
  }
}
