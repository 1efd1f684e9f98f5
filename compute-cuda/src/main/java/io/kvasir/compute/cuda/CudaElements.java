package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Ops;
import io.kvasir.compute.Rope;
import io.kvasir.compute.RopeTable;
import io.kvasir.compute.Xielu;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The operations on single elements and rows, kernels of `elementwise.cu`.
final class CudaElements implements AutoCloseable {
  private static final int THREADS = 256;
  private static final int MOST_BLOCKS = 8192;

  private final CudaContext context;
  private final Staging staging;
  private final Launch launch;
  private final StepInputs inputs;
  private final ElementKernels elements;
  private final DeviceArray ids;
  private final DeviceArray positions;
  private final DeviceArray selection;
  private final DeviceArray factors;
  private final DeviceArray choices;
  private final IdentityHashMap<RopeTable, DeviceArray> frequencies = new IdentityHashMap<>();
  private final long argmax;
  private final List<Turn> turns = new ArrayList<>(2);
  private @Nullable Addition pendingAdd;

  CudaElements(
      CudaContext context, CudaKernels kernels, Staging staging, Launch launch, StepInputs inputs) {
    this.inputs = inputs;
    this.context = context;
    this.staging = staging;
    this.launch = launch;
    elements = ElementKernels.of(kernels);
    argmax = kernels.function("kv_argmax");
    ids = new DeviceArray(context, staging, "token ids");
    positions = new DeviceArray(context, staging, "positions");
    selection = new DeviceArray(context, staging, "selected rows");
    factors = new DeviceArray(context, staging, "factors of rows");
    choices = new DeviceArray(context, staging, "choices");
  }

  /// Queues an addition that waited for a normalization to join it and waits in vain; first of all
  /// in every other operation.
  void flush() {
    flushTurns();
    if (pendingAdd != null) {
      Addition addition = pendingAdd;
      pendingAdd = null;
      queue(addition);
    }
  }

  /// Columns of the largest elements; waits for them.
  void argmax(CudaBuffer source, int rows, int columns, int[] into) {
    long target = choices.room(4L * rows);
    launch
        .of(argmax)
        .pointer(source.pointer())
        .number(source.columns())
        .number(columns)
        .pointer(target)
        .launch(rows, 1024);
    staging.download(target, into, rows);
  }

  /// @param adds whether the rows are added to `out`
  void embed(CudaWeight table, int[] rowIds, int rows, CudaBuffer out, boolean adds) {
    launch
        .of(elements.embed())
        .number(table.type().ggmlId())
        .pointer(table.pointer())
        .pointer(table.rowBytes())
        .pointer(inputs.of(rowIds, rows, ids))
        .number(rows)
        .number(table.columns())
        .pointer(out.pointer())
        .number(out.columns())
        .number(adds ? 1 : 0);
    run((long) rows * table.columns());
  }

  /// Queues an elementwise kernel over `count` elements.
  private void run(long count) {
    launch.launch((int) Math.min(MOST_BLOCKS, (count + THREADS - 1) / THREADS), THREADS);
  }

  private static long count(Buffer buffer, int rows) {
    return (long) rows * buffer.columns();
  }

  void scale(CudaBuffer x, int rows, float factor) {
    unary(elements.scale(), x, rows, factor);
  }

  void clamp(CudaBuffer x, int rows, float limit) {
    unary(elements.clamp(), x, rows, limit);
  }

  void softcap(CudaBuffer x, int rows, float cap) {
    unary(elements.softcap(), x, rows, cap);
  }

  private void unary(long function, CudaBuffer x, int rows, float parameter) {
    long n = count(x, rows);
    launch.of(function).pointer(x.pointer()).pointer(n).real(parameter);
    run(n);
  }

  void scaleRows(CudaBuffer x, int rows, float[] rowFactors) {
    long n = count(x, rows);
    launch
        .of(elements.scaleRows())
        .pointer(x.pointer())
        .pointer(n)
        .number(x.columns())
        .pointer(inputs.of(rowFactors, rows, factors));
    run(n);
  }

  void add(CudaBuffer x, CudaBuffer delta, int rows, float factor) {
    // A normalization of the sum mostly follows, and can do this on its way.
    pendingAdd = new Addition(x, delta, rows, factor);
  }

  boolean hasAddition() {
    return pendingAdd != null;
  }

  /// The addition that waits, for who does it instead, where it is to these rows; else it is
  /// queued.
  @Nullable Addition takeAddition(CudaBuffer x, int rows) {
    Addition addition = pendingAdd;
    if (addition == null || !addition.x().equals(x) || addition.rows() != rows) {
      flush();
      return null;
    }
    pendingAdd = null;
    return addition;
  }

  /// `x += factor * delta`.
  record Addition(CudaBuffer x, CudaBuffer delta, int rows, float factor) {}

  private void queue(Addition addition) {
    long n = count(addition.x(), addition.rows());
    launch
        .of(elements.add())
        .pointer(addition.x().pointer())
        .pointer(addition.delta().pointer())
        .pointer(n)
        .real(addition.factor());
    run(n);
  }

  /// Takes the addition that waits along where it is to `in`.
  void normalize(Norm norm, CudaBuffer in, CudaBuffer out, int rows) {
    Addition addition = pendingAdd;
    boolean joined =
        addition != null
            && addition.x().equals(in)
            && addition.rows() == rows
            && norm.width() == in.columns();
    if (joined) {
      pendingAdd = null;
    }
    flush();
    Buffer weight = norm.weight();
    Buffer bias = norm.bias();
    int groups = Math.toIntExact(count(in, rows) / norm.width());
    launch
        .of(elements.normalize())
        .pointer(in.pointer())
        .pointer(out.pointer())
        .pointer(joined && addition != null ? addition.delta().pointer() : 0)
        .real(joined && addition != null ? addition.factor() : 0)
        .pointer(CudaBuffer.pointer(weight))
        .number(weight == null ? 1 : weight.columns())
        .pointer(CudaBuffer.pointer(bias))
        .number(bias == null ? 1 : bias.columns())
        .number(in.columns())
        .number(norm.width())
        .real(norm.epsilon())
        .number(norm.kind() == Norm.Kind.LAYER ? 1 : 0)
        .launch(groups, threads(norm.width() / 4, 1024));
  }

  /// Whole warps for `count` threads, at most `most`.
  private static int threads(int count, int most) {
    return Math.max(32, Math.min(most, (count + 31) / 32 * 32));
  }

  /// Turns rows by their positions; may wait for attention, which can do this on its way.
  void rope(Rope rope, int[] rowPositions, CudaBuffer x, int rows) {
    boolean whole =
        rope.offset() == 0
            && 2 * rope.table().pairs() == rope.headDim()
            && rope.heads() * rope.headDim() == x.columns();
    if (!whole || turns.size() == 2) {
      flushTurns();
    }
    Turn turn = new Turn(rope, rowPositions, x, rows);
    if (whole) {
      turns.add(turn);
    } else {
      queue(turn);
    }
  }

  /// Rows to be turned by their positions.
  static final class Turn {
    private final Rope rope;
    private final int[] positions;
    private final CudaBuffer x;
    private final int rows;

    private Turn(Rope rope, int[] positions, CudaBuffer x, int rows) {
      this.rope = rope;
      this.positions = positions;
      this.x = x;
      this.rows = rows;
    }

    Rope rope() {
      return rope;
    }
  }

  /// Queues the turns that wait.
  void flushTurns() {
    for (int i = 0; i < turns.size(); i++) {
      queue(turns.get(i));
    }
    turns.clear();
  }

  /// The turns that wait, for who does them instead, where they are those of these queries and keys
  /// by these positions; else they are queued.
  @SuppressWarnings("ReferenceEquality") // what counts is which positions, not what they are now
  @Nullable Turn takeTurns(long queries, long keys, int[] rowPositions, int headDim) {
    if (turns.size() == 2) {
      Turn first = turns.get(0);
      Turn second = turns.get(1);
      if (first.x.pointer() == queries
          && second.x.pointer() == keys
          && first.rope.table().equals(second.rope.table())
          && first.rope.interleaved() == second.rope.interleaved()
          && first.rope.headDim() == headDim
          && second.rope.headDim() == headDim
          && first.rows == second.rows
          && first.positions == rowPositions
          && second.positions == rowPositions) {
        turns.clear();
        return first;
      }
    }
    flushTurns();
    return null;
  }

  /// Device address of a table's frequencies.
  long frequencies(RopeTable table) {
    DeviceArray angles = frequencies.get(table);
    if (angles == null) {
      angles = new DeviceArray(context, staging, "frequencies of rotations");
      float[] values = new float[table.pairs()];
      for (int i = 0; i < values.length; i++) {
        values[i] = table.inverseFrequency(i);
      }
      angles.of(values, values.length);
      frequencies.put(table, angles);
    }
    return angles.room(0);
  }

  private void queue(Turn turn) {
    Rope rope = turn.rope;
    RopeTable table = rope.table();
    CudaBuffer x = turn.x;
    int rows = turn.rows;
    long angles = frequencies(table);
    int threads = threads(table.pairs(), 256);
    launch
        .of(elements.rope())
        .pointer(x.pointer())
        .number(x.columns())
        .pointer(inputs.of(turn.positions, rows, positions))
        .pointer(angles)
        .number(table.pairs())
        .real(table.magnitude())
        .number(rope.interleaved() ? 1 : 0)
        .number(rope.heads())
        .number(rope.headDim())
        .number(rope.offset())
        .launch(rows, rope.heads(), 1, threads);
  }

  /// Of device addresses; `up` is 0 where there is none.
  void activate(Activation activation, long gate, long up, long out, long n) {
    launch
        .of(elements.activate())
        .number(number(activation))
        .pointer(gate)
        .pointer(up)
        .pointer(out)
        .pointer(n);
    run(n);
  }

  /// The activation's number in `activation.cuh`.
  static int number(Activation activation) {
    return switch (activation) {
      case SILU -> 0;
      case GELU -> 1;
      case GELU_TANH -> 2;
      case GELU_QUICK -> 3;
      case RELU -> 4;
      case RELU_SQUARED -> 5;
      case SIGMOID -> 6;
      case CLAMPED_SWIGLU -> 7;
    };
  }

  void activate(Xielu f, CudaBuffer x, int rows) {
    long n = count(x, rows);
    launch
        .of(elements.xielu())
        .pointer(x.pointer())
        .pointer(n)
        .real(f.positive())
        .real(f.negative())
        .real(f.beta())
        .real(f.epsilon());
    run(n);
  }

  /// `out[slot] = factors[slot] * in[rowNumbers[slot]]`.
  void expertRows(CudaBuffer in, long rowNumbers, long rowFactors, int slots, CudaBuffer out) {
    launch
        .of(elements.expertRows())
        .pointer(in.pointer())
        .number(in.columns())
        .pointer(rowNumbers)
        .pointer(rowFactors)
        .number(slots)
        .pointer(out.pointer());
    run((long) slots * in.columns());
  }

  /// What all rows take besides their experts.
  ///
  /// @param rows device address of its output, 0 for none
  /// @param gate device address of one logit for each row, 0 for none
  record SharedExpert(long rows, long gate) {}

  /// Sums the parts of each row.
  void expertSum(
      CudaBuffer parts,
      long slots,
      long partFactors,
      int perRow,
      SharedExpert shared,
      int rows,
      CudaBuffer out) {
    launch
        .of(elements.expertSum())
        .pointer(parts.pointer())
        .number(parts.columns())
        .pointer(slots)
        .pointer(partFactors)
        .number(perRow)
        .pointer(shared.rows())
        .pointer(shared.gate())
        .number(rows)
        .pointer(out.pointer());
    run(count(out, rows));
  }

  void gatherRows(CudaBuffer in, int[] selected, int count, CudaBuffer out) {
    launch
        .of(elements.gatherRows())
        .pointer(in.pointer())
        .number(in.columns())
        .pointer(selection.of(selected, count))
        .number(count)
        .pointer(out.pointer())
        .number(out.columns());
    run(count(in, count));
  }

  void copyColumns(Ops.Columns columns, CudaBuffer in, CudaBuffer out, int rows) {
    launch
        .of(elements.copyColumns())
        .pointer(in.pointer())
        .number(in.columns())
        .pointer(out.pointer())
        .number(out.columns())
        .number(rows)
        .number(columns.fromColumn())
        .number(columns.fromStride())
        .number(columns.toColumn())
        .number(columns.toStride())
        .number(columns.count())
        .number(columns.heads());
    run((long) rows * columns.heads() * columns.count());
  }

  @Override
  public void close() {
    for (DeviceArray array : new DeviceArray[] {ids, positions, selection, factors, choices}) {
      array.close();
    }
    for (DeviceArray array : frequencies.values()) {
      array.close();
    }
  }
}
