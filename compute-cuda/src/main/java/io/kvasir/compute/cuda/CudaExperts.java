package io.kvasir.compute.cuda;

import io.kvasir.compute.FeedForward;
import io.kvasir.compute.MixtureOfExperts;
import java.util.IdentityHashMap;

/// A mixture of experts: each row's experts are chosen and listed on the device ([ExpertLists]),
/// rows are copied to their slots, which stand expert by expert, and products read each expert's
/// weights once for some slots ([ExpertProducts]); a last pass sums each row's parts in the order
/// of their rank, so that company does not matter.
///
/// Nothing of it waits for the host, but for prompts of many rows whose weights [ManyExpertRows]
/// does not take: there the host asks how many rows each expert has, and lets the expert multiply
/// them as any network would.
final class CudaExperts implements AutoCloseable {
  /// More rows than a decoding step has: from here on an expert has rows enough for the products of
  /// many, whose launches the host counts out.
  private static final int MANY_ROWS = 257;

  private final CudaNetworks networks;
  private final CudaElements elements;
  private final CudaContext context;
  private final Staging staging;
  private final boolean exact;
  private final ExpertLists lists;
  private final ExpertProducts products;
  private final ManyExpertRows many;
  private final IdentityHashMap<MixtureOfExperts, ExpertTable> tables = new IdentityHashMap<>();
  private final DeviceArray logitRows;
  private final DeviceArray gatheredRows;
  private final DeviceArray innerRows;
  private final DeviceArray gateRows;
  private final DeviceArray partRows;
  private final DeviceArray sharedRows;
  private final DeviceArray sharedGates;

  /// @param exact whether only the kernels that round to f32 are used
  CudaExperts(
      CudaNetworks networks,
      CudaElements elements,
      CudaContext context,
      CudaKernels kernels,
      Staging staging,
      Launch launch,
      boolean exact) {
    this.networks = networks;
    this.elements = elements;
    this.context = context;
    this.staging = staging;
    this.exact = exact;
    lists = new ExpertLists(context, kernels, staging, launch);
    products = new ExpertProducts(kernels, launch, lists, exact);
    many = new ManyExpertRows(context, kernels, staging, launch, lists);
    logitRows = array("logits of routers");
    gatheredRows = array("inputs of experts");
    innerRows = array("inner rows of experts");
    gateRows = array("gates of experts");
    partRows = array("outputs of experts");
    sharedRows = array("outputs of shared experts");
    sharedGates = array("gates of shared experts");
  }

  private DeviceArray array(String purpose) {
    return new DeviceArray(context, staging, purpose);
  }

  void mix(MixtureOfExperts moe, CudaBuffer routerIn, CudaBuffer in, CudaBuffer out, int rows) {
    ExpertTable table = tables.get(moe);
    if (table == null) {
      table = new ExpertTable(moe, context, staging);
      tables.put(moe, table);
    }
    int experts = table.experts();
    CudaBuffer scores = new CudaBuffer(logitRows.room(4L * rows * experts), rows, experts);
    networks.linear(moe.router(), routerIn, scores, rows);
    networks.flush();
    int tile = exact ? 0 : many.tile(table, rows);
    // All slots of a single row read it where it is, unless each has a factor of its own.
    boolean single = tile == 0 && rows == 1 && !moe.routing().weighsInput();
    int slotsOfTile = tile != 0 ? tile : single ? 1 : ExpertLists.TILE;
    lists.make(table, scores.pointer(), rows, slotsOfTile);
    int slots = rows * table.perRow();
    CudaBuffer parts =
        new CudaBuffer(partRows.room(4L * slots * out.columns()), slots, out.columns());
    if (tile != 0) {
      many.multiply(table, tile, in.pointer(), slots, parts.pointer());
    } else if (single) {
      multiply(table, in.pointer(), 0, slots, parts.pointer());
    } else {
      CudaBuffer gathered =
          new CudaBuffer(gatheredRows.room(4L * slots * in.columns()), slots, in.columns());
      elements.expertRows(in, lists.rows(), lists.factors(), slots, gathered);
      if (exact || rows < MANY_ROWS) {
        multiply(table, gathered.pointer(), in.columns(), slots, parts.pointer());
      } else {
        multiplyApart(table, gathered, parts);
      }
    }
    sum(table, in, out, parts, rows);
  }

  /// @param xStep elements from a slot's row in `x` to the next; 0 where all slots have the same
  private void multiply(ExpertTable table, long x, int xStep, int slots, long out) {
    FeedForward first = table.mixture().experts().get(0);
    ExpertTable.Matrix gate = table.gate();
    int width = first.innerSize();
    long size = (long) slots * width;
    long inner = innerRows.room(4 * size);
    ExpertProducts.Operands up = new ExpertProducts.Operands(x, xStep, inner);
    if (gate == null) {
      products.multiply(table, table.up(), up);
      elements.activate(first.activation(), inner, 0, inner, size);
    } else if (!products.gate(table, first.activation(), up)) {
      long gates = gateRows.room(4 * size);
      products.multiply(table, gate, new ExpertProducts.Operands(x, xStep, gates));
      products.multiply(table, table.up(), up);
      elements.activate(first.activation(), gates, inner, inner, size);
    }
    products.multiply(table, table.down(), new ExpertProducts.Operands(inner, width, out));
  }

  private void multiplyApart(ExpertTable table, CudaBuffer gathered, CudaBuffer parts) {
    int[] starts = lists.hostStarts(table);
    for (int e = 0; e < table.experts(); e++) {
      int count = starts[e + 1] - starts[e];
      if (count > 0) {
        FeedForward expert = table.mixture().experts().get(e);
        networks.feedForward(expert, from(gathered, starts[e]), from(parts, starts[e]), count);
      }
    }
  }

  private void sum(ExpertTable table, CudaBuffer in, CudaBuffer out, CudaBuffer parts, int rows) {
    MixtureOfExperts moe = table.mixture();
    long shared = 0;
    long gate = 0;
    if (moe.shared() != null) {
      CudaBuffer rowsOfShared =
          new CudaBuffer(sharedRows.room(4L * rows * out.columns()), rows, out.columns());
      networks.feedForward(moe.shared(), in, rowsOfShared, rows);
      shared = rowsOfShared.pointer();
      if (moe.sharedGate() != null) {
        CudaBuffer gates = new CudaBuffer(sharedGates.room(4L * rows), rows, 1);
        networks.linear(moe.sharedGate(), in, gates, rows);
        gate = gates.pointer();
      }
    }
    networks.flush();
    elements.expertSum(
        parts,
        lists.slots(),
        lists.outputWeights(table),
        table.perRow(),
        new CudaElements.SharedExpert(shared, gate),
        rows,
        out);
  }

  private static CudaBuffer from(CudaBuffer buffer, int row) {
    return new CudaBuffer(
        buffer.pointer() + buffer.bytes(row), buffer.rows() - row, buffer.columns());
  }

  @Override
  public void close() {
    lists.close();
    products.close();
    many.close();
    for (ExpertTable table : tables.values()) {
      table.close();
    }
    for (DeviceArray array :
        new DeviceArray[] {
          logitRows, gatheredRows, innerRows, gateRows, partRows, sharedRows, sharedGates
        }) {
      array.close();
    }
  }
}
