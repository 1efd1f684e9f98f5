package io.kvasir.compute.cpu;

import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.compute.Xielu;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/// The processor as a backend: activations on the Java heap, weights used where their file is
/// mapped, cache blocks in native memory, kernels on the Vector API.
///
/// The bits of a row's result do not depend on the other rows, their number, the cut of a prompt,
/// the block size, or the number of threads: all kernels sum in the order of [Lanes], attention in
/// the partitions of [PartitionKernel]. They do depend on the width of the machine's vectors.
///
/// One thread at a time makes calls; [#close] ends the pool's threads. In a steady state (shapes
/// seen before) a call allocates nothing.
public final class CpuBackend implements Backend {
  private static final int MACHINE_LANES = 16;

  private final KernelPool pool;
  private final @Nullable MatrixProvider provider;
  private final KernelCode code;
  private final @Nullable Instructions instructions;
  private final Networks networks;
  private final CpuExperts experts;
  private final CpuAttention attention;
  private final Elementwise elementwise;
  private final AttentionCall attentionCall = new AttentionCall();
  private final IdentityHashMap<MixtureOfExperts, MoeScratch> moeScratch = new IdentityHashMap<>();
  private float[] embedding = {};

  /// @param threads threads that compute, the caller's included
  /// @throws IllegalArgumentException where that is less than one
  public CpuBackend(int threads) {
    this(threads, null);
  }

  /// @param threads threads that compute, the caller's included
  /// @param provider what multiplies the matrices that it takes, closed with the backend; null for
  ///   the kernels here
  /// @throws IllegalArgumentException where that is less than one thread
  public CpuBackend(int threads, @Nullable MatrixProvider provider) {
    this(threads, provider, KernelCode.MACHINE);
  }

  /// @param threads threads that compute, the caller's included
  /// @param provider what multiplies the matrices that it takes, closed with the backend; null for
  ///   the kernels here
  /// @param code what kernels are written in
  /// @throws IllegalArgumentException where that is less than one thread, or this machine has not
  ///   that code
  public CpuBackend(int threads, @Nullable MatrixProvider provider, KernelCode code) {
    if (threads < 1) {
      throw new IllegalArgumentException("a backend needs at least one thread: " + threads);
    }
    @Nullable String missing = code.missing();
    if (missing != null) {
      throw new IllegalArgumentException("kernels cannot be " + code + ": " + missing);
    }
    PerformanceCliff.checkVectors();
    this.code = code;
    this.provider = provider;
    instructions = code.instructions();
    // A provider has threads of its own, which need the cores as soon as a region ends.
    pool = new KernelPool(threads, provider == null);
    Workspace[] workspaces = new Workspace[threads];
    for (int i = 0; i < threads; i++) {
      workspaces[i] = new Workspace();
    }
    Products products = new Products(pool, workspaces, code);
    attention = new CpuAttention(pool, code);
    elementwise = new Elementwise(pool, workspaces);
    networks = new Networks(products, elementwise);
    experts = new CpuExperts(pool, products, networks);
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String arithmetic() {
    // Machine code adds sixteen lanes where the Vector API may have fewer.
    boolean hasOther = instructions != null && Lanes.L != MACHINE_LANES;
    String own = name() + ' ' + Lanes.bits() + (hasOther ? " machine" : "") + bf16(" bf16");
    return provider == null ? own : own + ' ' + provider.description();
  }

  private String spelled() {
    return instructions == Instructions.AVX2 ? "AVX2" : "AVX-512";
  }

  /// What is said of products in bf16, and of tile registers: sums have another order there.
  private String bf16(String words) {
    return code.isBf16() ? words + (code.hasTiles() ? " tiles" : "") : "";
  }

  @Override
  public String description() {
    return "cpu: %d-bit vectors%s, %d threads, %d cores%s%s"
        .formatted(
            Lanes.bits(),
            instructions == null ? "" : ", machine code of " + spelled() + bf16(" in bf16"),
            pool.threads(),
            Runtime.getRuntime().availableProcessors(),
            provider == null ? "" : ", matrices by " + provider.description(),
            PerformanceCliff.checkCompiler() ? ", optimizing compiler off" : "");
  }

  @Override
  public Buffer buffer(int rows, int columns) {
    return HostBuffer.allocate(rows, columns);
  }

  @Override
  public Weight weight(Tensor tensor) {
    PerformanceCliff.checkWeight(tensor.type());
    HostWeight host = HostWeight.of(tensor);
    MatrixProvider.Packed packed = provider == null ? null : provider.packed(tensor);
    return packed == null ? host : new ProvidedWeight(host, packed);
  }

  @Override
  public KvStorage storage(long blockBytes, int blockCount) {
    return new HostStorage(blockBytes, blockCount);
  }

  @Override
  public void write(float[] values, Buffer target) {
    System.arraycopy(values, 0, host(target).values(), 0, values.length);
  }

  @Override
  public void read(Buffer source, int row, float[] target, int offset) {
    int columns = source.columns();
    System.arraycopy(host(source).values(), row * columns, target, offset, columns);
  }

  @Override
  public void embed(Weight table, int[] ids, int rows, Buffer out) {
    Tensor tensor = Networks.tensorOf(table);
    for (int r = 0; r < rows; r++) {
      tensor.decodeRow(ids[r], host(out).values(), r * out.columns());
    }
  }

  @Override
  public void addEmbedding(Weight table, int[] ids, int rows, Buffer x) {
    Tensor tensor = Networks.tensorOf(table);
    if (embedding.length < table.columns()) {
      embedding = new float[table.columns()];
    }
    float[] row = embedding;
    for (int r = 0; r < rows; r++) {
      tensor.decodeRow(ids[r], row, 0);
      int at = r * x.columns();
      for (int i = 0; i < table.columns(); i++) {
        host(x).values()[at + i] += row[i];
      }
    }
  }

  @Override
  public void scale(Buffer x, int rows, float factor) {
    elementwise.scale(host(x), rows, factor);
  }

  @Override
  public void scaleRows(Buffer x, int rows, float[] factors) {
    elementwise.scaleRows(host(x), rows, factors);
  }

  @Override
  public void clamp(Buffer x, int rows, float limit) {
    elementwise.clamp(host(x), rows, limit);
  }

  @Override
  public void add(Buffer x, Buffer delta, int rows, float factor) {
    elementwise.add(host(x), host(delta), rows, factor);
  }

  @Override
  public void normalize(Norm norm, Buffer in, Buffer out, int rows) {
    elementwise.normalize(norm, host(in), host(out), rows);
  }

  @Override
  public void linear(Linear linear, Buffer in, Buffer out, int rows) {
    networks.linear(linear, host(in), host(out), rows, false);
  }

  @Override
  public void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows) {
    networks.headLinear(linear, host(in), host(out), rows);
  }

  @Override
  public void rope(Rope rope, int[] positions, Buffer x, int rows) {
    for (int r = 0; r < rows; r++) {
      rope.table().ensure(positions[r]);
    }
    elementwise.rotate(rope, positions, host(x), rows);
  }

  @Override
  public void activate(
      Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows) {
    elementwise.activate(activation, host(gate), up == null ? null : host(up), host(out), rows);
  }

  @Override
  public void activate(Xielu f, Buffer x, int rows) {
    elementwise.activate(f, host(x), rows);
  }

  @Override
  public void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows) {
    networks.feedForward(ffn, host(in), host(out).values(), 0, rows);
  }

  @Override
  public void mixtureOfExperts(
      MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows) {
    MoeScratch scratch = moeScratch.get(moe);
    if (scratch == null) {
      scratch = new MoeScratch(moe, pool.threads());
      moeScratch.put(moe, scratch);
    }
    // A rounding here would not change an expert's result a little, but choose another expert.
    networks.linear(moe.router(), host(routerIn), scratch.logits(rows), rows, true);
    if (moe.sharedGate() != null) {
      networks.linear(moe.sharedGate(), host(in), scratch.gates(rows), rows, false);
    }
    experts.mix(moe, scratch, host(in), host(out), rows);
  }

  @Override
  public void softcap(Buffer x, int rows, float cap) {
    elementwise.softcap(host(x), rows, cap);
  }

  @Override
  public void gatherRows(Buffer in, int[] selected, int count, Buffer out) {
    int columns = in.columns();
    for (int i = 0; i < count; i++) {
      System.arraycopy(
          host(in).values(), selected[i] * columns, host(out).values(), i * out.columns(), columns);
    }
  }

  @Override
  public void copyColumns(Columns columns, Buffer in, Buffer out, int rows) {
    for (int r = 0; r < rows; r++) {
      for (int h = 0; h < columns.heads(); h++) {
        int from = r * in.columns() + columns.fromColumn() + h * columns.fromStride();
        int to = r * out.columns() + columns.toColumn() + h * columns.toStride();
        System.arraycopy(host(in).values(), from, host(out).values(), to, columns.count());
      }
    }
  }

  @Override
  public void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out) {
    Buffer sinks = spec.sinks();
    Buffer slopes = spec.slopes();
    attentionCall.set(
        batch,
        spec,
        host(q).values(),
        sinks == null ? null : host(sinks).values(),
        slopes == null ? null : host(slopes).values(),
        host(out).values());
    if (k != null) {
      attention.store(attentionCall, host(k).values(), v == null ? null : host(v).values());
    }
    attention.attend(attentionCall);
  }

  @Override
  public boolean skipsPages() {
    return true;
  }

  @Override
  public void close() {
    pool.close();
    if (provider != null) {
      provider.close();
    }
  }

  private static HostBuffer host(Buffer buffer) {
    return (HostBuffer) buffer;
  }
}
