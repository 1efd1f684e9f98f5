package io.kvasir.compute.cuda;

import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.DecodePass;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.TokenDraws;
import io.kvasir.compute.Weight;
import io.kvasir.compute.Xielu;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// An NVIDIA GPU as a backend: weights, activations and cache blocks in its memory, all operations
/// queued on one stream. Only [#read], [#argmax], [#draw] and prompts of many rows through mixtures
/// of experts wait for results.
///
/// Where opened as exact, the bits of a row's result do not depend on the other rows of a batch, on
/// the cut of a prompt nor on the block size. Otherwise products and attention of many rows go
/// through the tensor cores, which round inputs to 16 bits; docs/cuda.md has the bounds.
///
/// One thread at a time makes calls.
public final class CudaBackend implements Backend {
  /// See [#shareBeginnings].
  public static final long SHARED_READS = SharedRuns.LEAST_READS;

  private final CudaContext context;
  private final CudaKernels kernels;
  private final Launch launch;
  private final Staging staging;
  private final CudaWeights weights;
  private final StepInputs inputs;
  private final CudaElements elements;
  private final CudaNetworks networks;
  private final CudaAttention attention;
  private final CudaSampler sampler;
  private final StepGraphs graphs;
  private final List<Long> buffers = new ArrayList<>();
  private @Nullable Thread thread;

  CudaBackend(CudaContext context, CudaKernels kernels, boolean exact) {
    this.context = context;
    this.kernels = kernels;
    thread = Thread.currentThread();
    List<Runnable> made = new ArrayList<>();
    try {
      launch = new Launch(context);
      made.add(launch::close);
      staging = new Staging(context);
      made.add(staging::close);
      weights = new CudaWeights(context, staging);
      inputs = new StepInputs(context, staging);
      elements = new CudaElements(context, kernels, staging, launch, inputs);
      networks = new CudaNetworks(context, kernels, staging, launch, elements, exact);
      made.add(networks::close);
      attention =
          new CudaAttention(
              context, kernels, staging, launch, inputs, elements, networks.streamed(), exact);
      made.add(attention::close);
      sampler = new CudaSampler(context, kernels, staging, launch);
      graphs = new StepGraphs(context, launch, staging, elements, networks, inputs);
    } catch (CudaException | IllegalStateException e) {
      made.reversed().forEach(Runnable::run);
      throw e;
    }
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
    return CudaOpening.open(library, ordinal, exact);
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

  /// Nanoseconds spent waiting for the device so far.
  public long waitedNanos() {
    return staging.waitedNanos();
  }

  /// Decoding steps that were replayed from a captured graph so far.
  public long replays() {
    return graphs.replays();
  }

  /// Whether decoding steps are captured and replayed; they are unless this says otherwise.
  public void captureSteps(boolean value) {
    graphs.enable(value);
  }

  /// From how many readings on, of positions, added up over rows, decoding rows read together what
  /// they hold in the same blocks; [#SHARED_READS] unless this says otherwise, [Long#MAX_VALUE] for
  /// never.
  public void shareBeginnings(long leastReads) {
    inputs.shareFrom(leastReads);
  }

  /// Waits until all that was asked for is done.
  public void synchronize() {
    enter();
    context.synchronize(context.computeStream());
  }

  /// Called first by every operation: makes the context the thread's and queues what waits.
  private void enter() {
    enterThread();
    networks.flush();
    elements.flush();
  }

  /// The same for operations that may join the products that wait.
  private void enterForProducts() {
    enterThread();
    elements.flush();
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
    launch.wrote();
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
    elements.argmax(CudaBuffer.of(source), rows, columns, into);
    return true;
  }

  @Override
  public void decode(DecodePass pass, AttentionMetadata batch, int[] tokens) {
    enter();
    if (!graphs.run(pass, batch, tokens)) {
      pass.compute(batch.rows());
    }
  }

  @Override
  public boolean draw(Buffer source, int rows, int columns, TokenDraws draws, int[] into) {
    enter();
    sampler.draw(CudaBuffer.of(source), rows, columns, draws, into);
    return true;
  }

  /// Fills weights that are uploaded from now on with random numbers in [-reach, reach) instead of
  /// their tensors' elements, to measure shapes without a model's file; bf16 only.
  public void randomize(float reach) {
    weights.randomize((pointer, count) ->
        launch
            .of(kernels.function("kv_random_bf16"))
            .pointer(pointer)
            .pointer(count)
            .real(reach)
            .pointer(pointer * 31)
            .launch((int) Math.min(8192, (count + 255) / 256), 256));
  }

  @Override
  public void embed(Weight table, int[] ids, int rows, Buffer out) {
    embed(CudaWeight.of(table), ids, rows, CudaBuffer.of(out), false);
  }

  @Override
  public void addEmbedding(Weight table, int[] ids, int rows, Buffer x) {
    embed(CudaWeight.of(table), ids, rows, CudaBuffer.of(x), true);
  }

  private void embed(CudaWeight table, int[] ids, int rows, CudaBuffer out, boolean adds) {
    enter();
    for (int r = 0; r < rows && !inputs.isRecorded(); r++) {
      Objects.checkIndex(ids[r], table.rows());
    }
    elements.embed(table, ids, rows, out, adds);
  }

  @Override
  public void scale(Buffer x, int rows, float factor) {
    enter();
    elements.scale(CudaBuffer.of(x), rows, factor);
  }

  @Override
  public void clamp(Buffer x, int rows, float limit) {
    enter();
    elements.clamp(CudaBuffer.of(x), rows, limit);
  }

  @Override
  public void softcap(Buffer x, int rows, float cap) {
    enter();
    elements.softcap(CudaBuffer.of(x), rows, cap);
  }

  @Override
  public void scaleRows(Buffer x, int rows, float[] factors) {
    enter();
    elements.scaleRows(CudaBuffer.of(x), rows, factors);
  }

  @Override
  public void add(Buffer x, Buffer delta, int rows, float factor) {
    enterForProducts();
    if (!networks.add(CudaBuffer.of(x), CudaBuffer.of(delta), rows, factor)) {
      elements.add(CudaBuffer.of(x), CudaBuffer.of(delta), rows, factor);
    }
  }

  @Override
  public void normalize(Norm norm, Buffer in, Buffer out, int rows) {
    enterThread(); // An addition that waits may be done on the way.
    elements.flushTurns();
    networks.normalize(norm, CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void linear(Linear linear, Buffer in, Buffer out, int rows) {
    enterForProducts();
    networks.linear(linear, CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows) {
    enter();
    networks.headLinear(linear, CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void rope(Rope rope, int[] positions, Buffer x, int rows) {
    enterThread();
    networks.flush();
    elements.rope(rope, positions, CudaBuffer.of(x), rows);
  }

  @Override
  public void activate(
      Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows) {
    enter();
    elements.activate(
        activation,
        CudaBuffer.of(gate).pointer(),
        CudaBuffer.pointer(up),
        CudaBuffer.of(out).pointer(),
        (long) rows * gate.columns());
  }

  @Override
  public void activate(Xielu f, Buffer x, int rows) {
    enter();
    elements.activate(f, CudaBuffer.of(x), rows);
  }

  @Override
  public void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows) {
    enterForProducts();
    networks.feedForward(ffn, CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void mixtureOfExperts(
      MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows) {
    enter();
    networks.mix(moe, CudaBuffer.of(routerIn), CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void gatherRows(Buffer in, int[] selected, int count, Buffer out) {
    enter();
    elements.gatherRows(CudaBuffer.of(in), selected, count, CudaBuffer.of(out));
  }

  @Override
  public void copyColumns(Columns columns, Buffer in, Buffer out, int rows) {
    enter();
    elements.copyColumns(columns, CudaBuffer.of(in), CudaBuffer.of(out), rows);
  }

  @Override
  public void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out) {
    enterThread(); // Turns that wait are done on the way.
    networks.flush();
    attention.attend(
        batch,
        spec,
        new CudaAttention.Operands(
            CudaBuffer.of(q).pointer(),
            CudaBuffer.pointer(k),
            CudaBuffer.pointer(v),
            CudaBuffer.of(out).pointer()));
  }

  @Override
  public void close() {
    enter();
    context.synchronize(context.computeStream());
    for (long pointer : buffers) {
      context.free(pointer);
    }
    graphs.close();
    attention.close();
    sampler.close();
    networks.close();
    elements.close();
    inputs.close();
    weights.close();
    staging.close();
    launch.close();
    kernels.close();
    context.close();
  }
}
