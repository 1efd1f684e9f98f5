package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import io.kvasir.compute.RopeTable;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.compute.Xielu;
import io.kvasir.compute.cuda.CudaProducts.Rows;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// An NVIDIA GPU as a backend: weights, activations and cache blocks in its memory, all operations
/// queued on one stream. Only [#read] and the choice of experts wait for results.
///
/// Where opened as exact, the bits of a row's result do not depend on the other rows of a batch, on
/// the cut of a prompt nor on the block size. Otherwise products and attention of many rows go
/// through the tensor cores, which round inputs to 16 bits; docs/cuda.md has the bounds.
///
/// One thread at a time makes calls.
public final class CudaBackend implements Backend {
  private static final List<String> RESOURCES =
      List.of("elementwise.fatbin", "linear.fatbin", "kv_store.fatbin", "kv_attend.fatbin");

  /// Kernels for the tensor cores; without them the others do all.
  private static final List<String> FAST_RESOURCES =
      List.of(
          "gemv.fatbin",
          "kv_write.fatbin",
          "gemm.fatbin",
          "attention_plan.fatbin",
          "attention_decode_16bit.fatbin",
          "attention_decode_8bit.fatbin",
          "attention_decode_4bit.fatbin",
          "attention_prefill.fatbin",
          "attention_merge.fatbin");

  private static final int THREADS = 256;
  private static final int MOST_BLOCKS = 8192;

  private final CudaContext context;
  private final CudaKernels kernels;
  private final Launch launch;
  private final Staging staging;
  private final CudaWeights weights;
  private final CudaProducts products;
  private final CudaAttention attention;
  private final CudaExperts experts;
  private final ElementKernels elements;
  private final DeviceArray ids;
  private final DeviceArray positions;
  private final DeviceArray selection;
  private final DeviceArray factors;
  private final DeviceArray choices;
  private final DeviceArray innerUp;
  private final DeviceArray innerGate;
  private final IdentityHashMap<RopeTable, DeviceArray> frequencies = new IdentityHashMap<>();
  private final List<Long> buffers = new ArrayList<>();
  private @Nullable Thread thread;
  private @Nullable Addition pendingAdd;

  private CudaBackend(CudaContext context, boolean exact) {
    this.context = context;
    context.enter();
    thread = Thread.currentThread();
    kernels = new CudaKernels(context);
    for (String resource : RESOURCES) {
      if (!kernels.load(resource)) {
        throw new IllegalStateException(
            "the kernels %s have no code for GPU %d (%s, compute capability %d.%d)"
                .formatted(
                    resource,
                    context.ordinal(),
                    context.name(),
                    context.capability() / 10,
                    context.capability() % 10));
      }
    }
    if (!exact) {
      for (String resource : FAST_RESOURCES) {
        kernels.load(resource);
      }
    }
    launch = new Launch(context);
    staging = new Staging(context);
    weights = new CudaWeights(context, staging);
    products = new CudaProducts(context, kernels, staging, launch, exact);
    attention = new CudaAttention(context, kernels, staging, launch, exact);
    experts = new CudaExperts(this, context, staging);
    elements = ElementKernels.of(kernels);
    ids = new DeviceArray(context, staging, "token ids");
    positions = new DeviceArray(context, staging, "positions");
    selection = new DeviceArray(context, staging, "selected rows");
    factors = new DeviceArray(context, staging, "factors of rows");
    choices = new DeviceArray(context, staging, "choices");
    innerUp = new DeviceArray(context, staging, "inner rows of feed-forward networks");
    innerGate = new DeviceArray(context, staging, "gates of feed-forward networks");
  }

  /// What came of opening a GPU.
  public sealed interface Opening {}

  /// It is ready, to be closed by the caller.
  public record Ready(CudaBackend backend) implements Opening {}

  /// It cannot be used.
  ///
  /// @param reason one sentence without a full stop
  public record Unavailable(String reason) implements Opening {}

  /// Opens GPU `ordinal`, counted from 0, of the machine's driver.
  public static Opening open(int ordinal) {
    return open(CudaDriver.LIBRARY, ordinal, false);
  }

  /// Opens a GPU of another driver library, such as one that tests bring.
  ///
  /// @param exact whether only the plain kernels are used, which sum in f32 and give a row the same
  ///   bits in any company and however a prompt is cut
  public static Opening open(String library, int ordinal, boolean exact) {
    return switch (CudaDriver.load(library)) {
      case CudaDriver.Missing missing -> new Unavailable(missing.reason());
      case CudaDriver.Loaded loaded -> open(loaded.driver(), ordinal, exact);
    };
  }

  private static Opening open(CudaDriver driver, int ordinal, boolean exact) {
    return switch (CudaContext.open(driver, ordinal)) {
      case CudaContext.Unusable unusable -> new Unavailable(unusable.reason());
      case CudaContext.Opened opened -> {
        try {
          yield new Ready(new CudaBackend(opened.context(), exact));
        } catch (CudaException | IllegalStateException e) {
          opened.context().close();
          yield new Unavailable(String.valueOf(e.getMessage()));
        }
      }
    };
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return "cuda:%d %s, %d multiprocessors, %,d MiB free of %,d, driver for CUDA %s"
        .formatted(
            context.ordinal(),
            context.name(),
            context.multiprocessors(),
            context.freeBytes() >> 20,
            context.totalBytes() >> 20,
            CudaContext.version(context.driverVersion()));
  }

  @Override
  public long freeBytes() {
    enter();
    return context.freeBytes();
  }

  /// Kernels launched so far.
  public long launches() {
    return launch.launches();
  }

  /// Waits until all that was asked for is done.
  public void synchronize() {
    enter();
    context.synchronize(context.computeStream());
  }

  /// Called first by every operation: makes the context the thread's, and queues an addition that
  /// waited for a normalization to join it and waits in vain.
  private void enter() {
    if (pendingAdd != null) {
      Addition addition = pendingAdd;
      pendingAdd = null;
      queue(addition);
    }
    enterThread();
  }

  private void enterThread() {
    Thread current = Thread.currentThread();
    if (!current.equals(thread)) {
      context.enter();
      thread = current;
    }
  }

  @Override
  public Buffer buffer(int rows, int columns) {
    enter();
    long bytes = 4L * rows * columns;
    long pointer = context.allocate(bytes, "activations [%d, %d]".formatted(rows, columns));
    buffers.add(pointer);
    context.clear(pointer, bytes, context.computeStream());
    return new CudaBuffer(pointer, rows, columns);
  }

  @Override
  public Weight weight(Tensor tensor) {
    enter();
    return weights.upload(tensor);
  }

  @Override
  public KvStorage storage(long blockBytes, int blockCount) {
    enter();
    return new CudaKvStorage(context, blockBytes, blockCount);
  }

  @Override
  public void write(float[] values, Buffer target) {
    enter();
    staging.upload(values, 0, values.length, CudaBuffer.of(target).pointer());
  }

  @Override
  public void read(Buffer source, int row, float[] target, int offset) {
    enter();
    CudaBuffer buffer = CudaBuffer.of(source);
    staging.download(buffer.pointer() + buffer.bytes(row), target, offset, buffer.columns());
  }

  @Override
  public boolean argmax(Buffer source, int rows, int columns, int[] into) {
    enter();
    long target = choices.room(4L * rows);
    launch
        .of(kernels.function("kv_argmax"))
        .pointer(CudaBuffer.of(source).pointer())
        .number(source.columns())
        .number(columns)
        .pointer(target)
        .launch(rows, 1024);
    staging.download(target, into, rows);
    return true;
  }

  /// Fills weights that are uploaded from now on with random numbers in [-reach, reach) instead of
  /// their tensors' elements, to measure shapes without a model's file; bf16 only.
  public void randomize(float reach) {
    weights.randomize((pointer, count) -> {
      launch
          .of(kernels.function("kv_random_bf16"))
          .pointer(pointer)
          .pointer(count)
          .real(reach)
          .pointer(pointer * 31);
      run(count);
    });
  }

  @Override
  public void embed(Weight table, int[] ids, int rows, Buffer out) {
    embed(CudaWeight.of(table), ids, rows, CudaBuffer.of(out), 0);
  }

  @Override
  public void addEmbedding(Weight table, int[] ids, int rows, Buffer x) {
    embed(CudaWeight.of(table), ids, rows, CudaBuffer.of(x), 1);
  }

  private void embed(CudaWeight table, int[] rowIds, int rows, CudaBuffer out, int adds) {
    enter();
    for (int r = 0; r < rows; r++) {
      Objects.checkIndex(rowIds[r], table.rows());
    }
    launch
        .of(elements.embed())
        .number(table.type().ggmlId())
        .pointer(table.pointer())
        .pointer(table.rowBytes())
        .pointer(ids.of(rowIds, rows))
        .number(rows)
        .number(table.columns())
        .pointer(out.pointer())
        .number(out.columns())
        .number(adds);
    run((long) rows * table.columns());
  }

  /// Queues an elementwise kernel over `count` elements.
  private void run(long count) {
    launch.launch((int) Math.min(MOST_BLOCKS, (count + THREADS - 1) / THREADS), THREADS);
  }

  private static long count(Buffer buffer, int rows) {
    return (long) rows * buffer.columns();
  }

  @Override
  public void scale(Buffer x, int rows, float factor) {
    unary(elements.scale(), x, rows, factor);
  }

  @Override
  public void clamp(Buffer x, int rows, float limit) {
    unary(elements.clamp(), x, rows, limit);
  }

  @Override
  public void softcap(Buffer x, int rows, float cap) {
    unary(elements.softcap(), x, rows, cap);
  }

  private void unary(long function, Buffer x, int rows, float parameter) {
    enter();
    long n = count(x, rows);
    launch.of(function).pointer(CudaBuffer.of(x).pointer()).pointer(n).real(parameter);
    run(n);
  }

  @Override
  public void scaleRows(Buffer x, int rows, float[] rowFactors) {
    enter();
    long n = count(x, rows);
    launch
        .of(elements.scaleRows())
        .pointer(CudaBuffer.of(x).pointer())
        .pointer(n)
        .number(x.columns())
        .pointer(factors.of(rowFactors, rows));
    run(n);
  }

  @Override
  public void add(Buffer x, Buffer delta, int rows, float factor) {
    enter();
    // A normalization of the sum mostly follows, and can do this on its way.
    pendingAdd = new Addition(CudaBuffer.of(x), CudaBuffer.of(delta), rows, factor);
  }

  /// `x += factor * delta`.
  private record Addition(CudaBuffer x, CudaBuffer delta, int rows, float factor) {}

  private void queue(Addition addition) {
    enterThread();
    long n = count(addition.x(), addition.rows());
    launch
        .of(elements.add())
        .pointer(addition.x().pointer())
        .pointer(addition.delta().pointer())
        .pointer(n)
        .real(addition.factor());
    run(n);
  }

  @Override
  public void normalize(Norm norm, Buffer in, Buffer out, int rows) {
    Addition addition = pendingAdd;
    boolean joined =
        addition != null
            && addition.x().equals(in)
            && addition.rows() == rows
            && norm.width() == in.columns();
    if (joined) {
      pendingAdd = null;
    }
    enter();
    Buffer weight = norm.weight();
    Buffer bias = norm.bias();
    int groups = Math.toIntExact(count(in, rows) / norm.width());
    launch
        .of(elements.normalize())
        .pointer(CudaBuffer.of(in).pointer())
        .pointer(CudaBuffer.of(out).pointer())
        .pointer(joined && addition != null ? addition.delta().pointer() : 0)
        .real(joined && addition != null ? addition.factor() : 0)
        .pointer(pointer(weight))
        .number(weight == null ? 1 : weight.columns())
        .pointer(pointer(bias))
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

  private static long pointer(@Nullable Buffer buffer) {
    return buffer == null ? 0 : CudaBuffer.of(buffer).pointer();
  }

  @Override
  public void linear(Linear linear, Buffer in, Buffer out, int rows) {
    enter();
    products.multiply(
        CudaWeight.of(linear.weight()), pointer(linear.bias()), rows(in, 0), rows(out, 0), rows);
  }

  private static Rows rows(Buffer buffer, int column) {
    return new Rows(CudaBuffer.of(buffer).pointer() + 4L * column, buffer.columns());
  }

  @Override
  public void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows) {
    enter();
    for (int h = 0; h < linear.weights().size(); h++) {
      products.multiply(
          CudaWeight.of(linear.weights().get(h)),
          0,
          rows(in, h * linear.inputStride() + linear.inputOffset()),
          rows(out, h * linear.outputStride() + linear.outputOffset()),
          rows);
    }
  }

  @Override
  public void rope(Rope rope, int[] rowPositions, Buffer x, int rows) {
    enter();
    RopeTable table = rope.table();
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
    int threads = threads(table.pairs(), 256);
    launch
        .of(elements.rope())
        .pointer(CudaBuffer.of(x).pointer())
        .number(x.columns())
        .pointer(positions.of(rowPositions, rows))
        .pointer(angles.room(0))
        .number(table.pairs())
        .real(table.magnitude())
        .number(rope.interleaved() ? 1 : 0)
        .number(rope.heads())
        .number(rope.headDim())
        .number(rope.offset())
        .launch(rows, rope.heads(), 1, threads);
  }

  @Override
  public void activate(
      Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows) {
    enter();
    activate(
        activation,
        CudaBuffer.of(gate).pointer(),
        pointer(up),
        CudaBuffer.of(out).pointer(),
        count(gate, rows));
  }

  private void activate(Activation activation, long gate, long up, long out, long n) {
    launch
        .of(elements.activate())
        .number(number(activation))
        .pointer(gate)
        .pointer(up)
        .pointer(out)
        .pointer(n);
    run(n);
  }

  /// The activation's number in `elementwise.cu`.
  private static int number(Activation activation) {
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

  @Override
  public void activate(Xielu f, Buffer x, int rows) {
    enter();
    long n = count(x, rows);
    launch
        .of(elements.xielu())
        .pointer(CudaBuffer.of(x).pointer())
        .pointer(n)
        .real(f.positive())
        .real(f.negative())
        .real(f.beta())
        .real(f.epsilon());
    run(n);
  }

  @Override
  public void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows) {
    enter();
    int inner = ffn.innerSize();
    long size = (long) rows * inner;
    Rows up = new Rows(innerUp.room(4 * size), inner);
    products.multiply(
        CudaWeight.of(ffn.up().weight()), pointer(ffn.up().bias()), rows(in, 0), up, rows);
    Linear gate = ffn.gate();
    if (gate == null) {
      activate(ffn.activation(), up.pointer(), 0, up.pointer(), size);
    } else {
      Rows gated = new Rows(innerGate.room(4 * size), inner);
      products.multiply(
          CudaWeight.of(gate.weight()), pointer(gate.bias()), rows(in, 0), gated, rows);
      activate(ffn.activation(), gated.pointer(), up.pointer(), up.pointer(), size);
    }
    products.multiply(
        CudaWeight.of(ffn.down().weight()), pointer(ffn.down().bias()), up, rows(out, 0), rows);
  }

  @Override
  public void mixtureOfExperts(
      MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows) {
    enter();
    experts.mix(moe, routerIn, in, out, rows);
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

  @Override
  public void gatherRows(Buffer in, int[] selected, int count, Buffer out) {
    enter();
    launch
        .of(elements.gatherRows())
        .pointer(CudaBuffer.of(in).pointer())
        .number(in.columns())
        .pointer(selection.of(selected, count))
        .number(count)
        .pointer(CudaBuffer.of(out).pointer())
        .number(out.columns());
    run(count(in, count));
  }

  @Override
  public void copyColumns(Columns columns, Buffer in, Buffer out, int rows) {
    enter();
    launch
        .of(elements.copyColumns())
        .pointer(CudaBuffer.of(in).pointer())
        .number(in.columns())
        .pointer(CudaBuffer.of(out).pointer())
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
  public void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out) {
    enter();
    attention.attend(
        batch,
        spec,
        new CudaAttention.Operands(
            CudaBuffer.of(q).pointer(), pointer(k), pointer(v), CudaBuffer.of(out).pointer()));
  }

  @Override
  public void close() {
    enter();
    context.synchronize(context.computeStream());
    for (DeviceArray array :
        new DeviceArray[] {ids, positions, selection, factors, choices, innerUp, innerGate}) {
      array.close();
    }
    for (DeviceArray array : frequencies.values()) {
      array.close();
    }
    for (long pointer : buffers) {
      context.free(pointer);
    }
    experts.close();
    attention.close();
    products.close();
    weights.close();
    staging.close();
    launch.close();
    kernels.close();
    context.close();
  }
}
