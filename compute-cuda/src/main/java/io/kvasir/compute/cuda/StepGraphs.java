package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.DecodePass;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Decoding steps as captured graphs: all kernels of all layers are queued by one call, and what
/// differs from step to step lies in tables that are sent before it.
///
/// There is a graph for each number of rows, rounded up, and of attention's runs, those that rows
/// share and their own, rounded up by at most a quarter. A step whose graph is not there is
/// rehearsed: computed as the graph would, with its roundings. If that moved no memory and asked
/// nothing of the host, the next step of its kind is captured. Memory that grows moves, and makes
/// all graphs of before useless.
final class StepGraphs implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(StepGraphs.class.getName());

  private static final int MOST_GRAPHS = 96;
  private static final int MOST_REHEARSALS = 5;

  /// Grids end there.
  private static final int MOST_RUNS = 65535;

  private final CudaContext context;
  private final Launch launch;
  private final Staging staging;
  private final CudaElements elements;
  private final CudaNetworks networks;
  private final StepInputs inputs;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment handle = arena.allocate(8, 8);
  private final List<Graph> graphs = new ArrayList<>();
  private @Nullable DecodePass refusedPass;
  private @Nullable AttentionMetadata refusedBatch;
  private StepInputs.Room last = new StepInputs.Room(0, 0, 0, 0, 0);
  private boolean enabled = true;
  private long steps;
  private long replays;

  StepGraphs(
      CudaContext context,
      Launch launch,
      Staging staging,
      CudaElements elements,
      CudaNetworks networks,
      StepInputs inputs) {
    this.context = context;
    this.launch = launch;
    this.staging = staging;
    this.elements = elements;
    this.networks = networks;
    this.inputs = inputs;
  }

  /// A kind of step and what is known of it.
  private static final class Graph {
    final DecodePass pass;
    final AttentionMetadata batch;
    final StepInputs.Room room;
    int rehearsals;
    boolean clean;
    long moves = -1;
    long executable;
    int kernels;
    long used;

    Graph(DecodePass pass, AttentionMetadata batch, StepInputs.Room room) {
      this.pass = pass;
      this.batch = batch;
      this.room = room;
    }
  }

  void enable(boolean value) {
    enabled = value;
  }

  /// Steps that were replayed so far.
  long replays() {
    return replays;
  }

  /// Computes a step, if it is of a kind that graphs do.
  ///
  /// @return whether it did
  boolean run(DecodePass pass, AttentionMetadata batch, int[] tokens) {
    if (!enabled || !isPlain(pass, batch)) {
      return false;
    }
    StepInputs.Room room = room(pass, batch);
    if (room.runs() > MOST_RUNS) {
      return false;
    }
    Graph graph = graph(pass, batch, room);
    CudaKvStorage storage = (CudaKvStorage) batch.storage();
    inputs.send(pass, batch, tokens, room, storage.spareBlock());
    graph.used = ++steps;
    if (graph.executable != 0 && graph.moves == context.moves()) {
      replay(graph);
    } else if (graph.clean && graph.moves == context.moves()) {
      capture(graph, tokens);
    } else {
      rehearse(graph, tokens);
    }
    return true;
  }

  private boolean isPlain(DecodePass pass, AttentionMetadata batch) {
    if (batch.observer() != null || pass.equals(refusedPass) && batch.equals(refusedBatch)) {
      return false;
    }
    for (int s = 0; s < batch.sequences(); s++) {
      if (batch.skips(s) != null || batch.table(s).pruned() != null) {
        return false;
      }
    }
    return true;
  }

  private static int roundedRows(int rows) {
    int step = rows <= 8 ? 1 : rows <= 32 ? 4 : rows <= 64 ? 8 : 16;
    return (rows + step - 1) / step * step;
  }

  /// What the step needs, rounded up, so that few graphs serve many steps.
  private StepInputs.Room room(DecodePass pass, AttentionMetadata batch) {
    SharedRuns shared = inputs.share(batch);
    int rows = Math.min(roundedRows(batch.rows()), pass.mostRows());
    int runs = (rows - batch.rows()) * TensorCoreAttention.mostRuns(0, 0);
    int ownRuns = runs;
    for (int r = 0; r < batch.rows(); r++) {
      int position = batch.positions()[r];
      runs += TensorCoreAttention.mostRuns(position, 0);
      ownRuns += TensorCoreAttention.mostRuns(position, shared.skipped(r));
    }
    if (shared.items() == 0) {
      last = last.with(rows, roundedRuns(runs), 0, 0, 0);
      return last;
    }
    last =
        last.with(
            rows,
            roundedRuns(runs),
            roundedRuns(ownRuns),
            roundedRuns(shared.items()),
            roundedRuns(ownRuns + shared.slots()));
    return last;
  }

  /// The next of 4, 5, 6, 7 times a power of two.
  private static int roundedRuns(int runs) {
    int step = Math.max(1, Integer.highestOneBit(runs) / 4);
    return (runs + step - 1) / step * step;
  }

  private Graph graph(DecodePass pass, AttentionMetadata batch, StepInputs.Room room) {
    int oldest = 0;
    for (int i = 0; i < graphs.size(); i++) {
      Graph graph = graphs.get(i);
      if (graph.room.equals(room) && graph.pass.equals(pass) && graph.batch.equals(batch)) {
        return graph;
      }
      oldest = graph.used < graphs.get(oldest).used ? i : oldest;
    }
    if (graphs.size() == MOST_GRAPHS) {
      discard(graphs.remove(oldest));
    }
    Graph added = new Graph(pass, batch, room);
    graphs.add(added);
    return added;
  }

  private void replay(Graph graph) {
    context.check(
        context.driver().graphs().launch().call(graph.executable, context.computeStream()),
        "cuGraphLaunch");
    launch.replayed(graph.kernels);
    replays++;
  }

  private void rehearse(Graph graph, int[] tokens) {
    discard(graph); // It reads and writes where arrays were before they moved.
    long moves = context.moves();
    long transfers = staging.transfers();
    compute(graph, tokens);
    graph.moves = moves;
    graph.clean = moves == context.moves() && transfers == staging.transfers();
    graph.rehearsals = graph.clean ? 0 : graph.rehearsals + 1;
    if (graph.rehearsals >= MOST_REHEARSALS) {
      refuse(graph, "operations on the host take part");
    }
  }

  private void refuse(Graph graph, String reason) {
    refusedPass = graph.pass;
    refusedBatch = graph.batch;
    LOG.log(
        System.Logger.Level.INFO,
        "event=graphs_refused rows={0} reason={1}",
        graph.room.rows(),
        reason);
  }

  private void compute(Graph graph, int[] tokens) {
    inputs.begin(graph.pass, graph.batch, tokens, graph.room);
    try {
      graph.pass.compute(graph.room.rows());
      networks.flush();
      elements.flush();
    } finally {
      inputs.end();
    }
  }

  /// Records a step, then runs it.
  private void capture(Graph graph, int[] tokens) {
    discard(graph);
    graph.clean = false;
    long before = launch.launches();
    long recorded = 0;
    try {
      // Copies of cache blocks by other threads keep off the stream meanwhile.
      synchronized (context) {
        recorded = record(graph, tokens);
      }
      CudaDriver.Graphs calls = context.driver().graphs();
      int code = calls.instantiate().call(handle.address(), recorded, 0);
      context.check(code, "cuGraphInstantiateWithFlags");
      graph.executable = handle.get(ValueLayout.JAVA_LONG, 0);
      graph.kernels = (int) (launch.launches() - before);
    } catch (CudaException e) {
      // A graph is a way to be fast: without one, for lack of memory say, kernels are queued.
      refuse(graph, String.valueOf(e.getMessage()));
      compute(graph, tokens);
      return;
    } finally {
      if (recorded != 0) {
        context.driver().graphs().destroy().call(recorded);
      }
    }
    replay(graph);
  }

  private long record(Graph graph, int[] tokens) {
    CudaDriver.Graphs calls = context.driver().graphs();
    long stream = context.computeStream();
    context.check(calls.beginCapture().call(stream, RELAXED), "cuStreamBeginCapture");
    boolean done = false;
    try {
      compute(graph, tokens);
      done = true;
    } finally {
      int code = calls.endCapture().call(stream, handle.address());
      if (done) {
        context.check(code, "cuStreamEndCapture");
      } else if (code == 0) {
        calls.destroy().call(handle.get(ValueLayout.JAVA_LONG, 0));
      }
    }
    return handle.get(ValueLayout.JAVA_LONG, 0);
  }

  /// `CU_STREAM_CAPTURE_MODE_RELAXED`: other threads may go on with calls of theirs.
  private static final int RELAXED = 2;

  private void discard(Graph graph) {
    if (graph.executable != 0) {
      context.driver().graphs().destroyExec().call(graph.executable);
      graph.executable = 0;
    }
  }

  @Override
  public void close() {
    for (Graph graph : graphs) {
      discard(graph);
    }
    graphs.clear();
    arena.close();
  }
}
