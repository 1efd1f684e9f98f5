package io.kvasir.compute.cuda;

import io.kvasir.compute.Buffer;
import io.kvasir.compute.ExpertSelection;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.MixtureOfExperts;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/// A mixture of experts: the router's logits come to the host, which picks; then each expert that
/// was picked computes all rows that picked it, and a last pass sums each row's parts in the order
/// of their rank, so that company does not matter.
final class CudaExperts implements AutoCloseable {
  private final CudaNetworks networks;
  private final CudaElements elements;
  private final CudaContext context;
  private final Staging staging;
  private final IdentityHashMap<MixtureOfExperts, ExpertSelection> selections =
      new IdentityHashMap<>();
  private final DeviceArray logitRows;
  private final DeviceArray gatheredRows;
  private final DeviceArray partRows;
  private final DeviceArray sharedRows;
  private final DeviceArray gates;
  private final DeviceArray rowNumbers;
  private final DeviceArray inputFactors;
  private final DeviceArray slotNumbers;
  private final DeviceArray outputFactors;
  private float[] logits = {};
  private int[] picked = {};
  private float[] weights = {};
  private int[] slots = {};
  private int[] rowOfSlot = {};
  private float[] factorOfSlot = {};

  CudaExperts(CudaNetworks networks, CudaElements elements, CudaContext context, Staging staging) {
    this.networks = networks;
    this.elements = elements;
    this.context = context;
    this.staging = staging;
    logitRows = array("logits of routers");
    gatheredRows = array("inputs of experts");
    partRows = array("outputs of experts");
    sharedRows = array("outputs of shared experts");
    gates = array("gates of shared experts");
    rowNumbers = array("rows of experts");
    inputFactors = array("weights of experts");
    slotNumbers = array("places of experts");
    outputFactors = array("weights of experts");
  }

  private DeviceArray array(String purpose) {
    return new DeviceArray(context, staging, purpose);
  }

  void mix(MixtureOfExperts moe, CudaBuffer routerIn, CudaBuffer in, CudaBuffer out, int rows) {
    int experts = moe.experts().size();
    int perRow = moe.routing().expertsPerRow();
    int columns = in.columns();
    CudaBuffer scores = new CudaBuffer(logitRows.room(4L * rows * experts), rows, experts);
    networks.linear(moe.router(), routerIn, scores, rows);
    networks.flush();
    pick(moe, scores, rows);
    int used = rows * perRow;
    CudaBuffer gathered = new CudaBuffer(gatheredRows.room(4L * used * columns), used, columns);
    CudaBuffer parts =
        new CudaBuffer(partRows.room(4L * used * out.columns()), used, out.columns());
    int[] starts = place(moe, rows, experts, perRow);
    elements.expertRows(
        in, rowNumbers.of(rowOfSlot, used), inputFactors.of(factorOfSlot, used), used, gathered);
    for (int e = 0; e < experts; e++) {
      int count = starts[e + 1] - starts[e];
      if (count > 0) {
        FeedForward expert = moe.experts().get(e);
        networks.feedForward(expert, from(gathered, starts[e]), from(parts, starts[e]), count);
      }
    }
    sum(moe, in, out, parts, rows);
  }

  private void pick(MixtureOfExperts moe, CudaBuffer scores, int rows) {
    int experts = scores.columns();
    int perRow = moe.routing().expertsPerRow();
    ExpertSelection selection = selections.get(moe);
    if (selection == null) {
      selection =
          new ExpertSelection(
              moe.routing(),
              host(moe.routing().selectionBias()),
              host(moe.routing().expertScale()),
              experts);
      selections.put(moe, selection);
    }
    if (logits.length < rows * experts) {
      logits = new float[rows * experts];
    }
    if (picked.length < rows * perRow) {
      picked = new int[rows * perRow];
      weights = new float[rows * perRow];
      slots = new int[rows * perRow];
      rowOfSlot = new int[rows * perRow];
      factorOfSlot = new float[rows * perRow];
    }
    staging.download(scores.pointer(), logits, 0, rows * experts);
    for (int r = 0; r < rows; r++) {
      selection.select(logits, r * experts);
      System.arraycopy(selection.experts(), 0, picked, r * perRow, perRow);
      System.arraycopy(selection.weights(), 0, weights, r * perRow, perRow);
    }
  }

  private float[] host(@Nullable Buffer buffer) {
    if (buffer == null) {
      return new float[0];
    }
    float[] values = new float[buffer.columns()];
    staging.download(CudaBuffer.of(buffer).pointer(), values, 0, values.length);
    return values;
  }

  /// Gives each (row, rank) a slot, expert by expert.
  ///
  /// @return where each expert's slots begin
  private int[] place(MixtureOfExperts moe, int rows, int experts, int perRow) {
    int[] starts = new int[experts + 1];
    for (int i = 0; i < rows * perRow; i++) {
      starts[picked[i] + 1]++;
    }
    for (int e = 0; e < experts; e++) {
      starts[e + 1] += starts[e];
    }
    int[] next = starts.clone();
    boolean weighsInput = moe.routing().weighsInput();
    for (int i = 0; i < rows * perRow; i++) {
      int slot = next[picked[i]]++;
      slots[i] = slot;
      rowOfSlot[slot] = i / perRow;
      factorOfSlot[slot] = weighsInput ? weights[i] : 1;
      if (weighsInput) {
        weights[i] = 1;
      }
    }
    return starts;
  }

  private void sum(
      MixtureOfExperts moe, CudaBuffer in, CudaBuffer out, CudaBuffer parts, int rows) {
    int perRow = moe.routing().expertsPerRow();
    long shared = 0;
    long gate = 0;
    if (moe.shared() != null) {
      CudaBuffer rowsOfShared =
          new CudaBuffer(sharedRows.room(4L * rows * out.columns()), rows, out.columns());
      networks.feedForward(moe.shared(), in, rowsOfShared, rows);
      shared = rowsOfShared.pointer();
      if (moe.sharedGate() != null) {
        CudaBuffer gateRows = new CudaBuffer(gates.room(4L * rows), rows, 1);
        networks.linear(moe.sharedGate(), in, gateRows, rows);
        gate = gateRows.pointer();
      }
    }
    networks.flush();
    elements.expertSum(
        parts,
        slotNumbers.of(slots, rows * perRow),
        outputFactors.of(weights, rows * perRow),
        perRow,
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
    for (DeviceArray array :
        new DeviceArray[] {
          logitRows,
          gatheredRows,
          partRows,
          sharedRows,
          gates,
          rowNumbers,
          inputFactors,
          slotNumbers,
          outputFactors
        }) {
      array.close();
    }
  }
}
