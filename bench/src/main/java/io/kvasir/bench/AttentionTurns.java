package io.kvasir.bench;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// Attention at depth as [AttentionBenchmark] has it, with several kinds of code by turns in one
/// process: `AttentionTurns FORMAT,FORMAT DEPTH ROWS ROUNDS CODE,CODE [THREADS [HEADS,KV,DIM]]`.
///
/// The first third of the rounds does not count. Prints the median of a layer (with one thread: of
/// the time that the thread computed), the bytes of keys and values and the operations a second,
/// and how many times as fast as the first kind of code.
public final class AttentionTurns {
  private static final int BLOCK_TOKENS = 64;
  private static final int LAYERS = 4;

  private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();

  private AttentionTurns() {}

  /// A cache that one kind of code attends to.
  private static final class Turn implements AutoCloseable {
    private final KernelCode code;
    private final CpuBackend backend;
    private final int threads;
    private final KvCache cache;
    private final AttentionMetadata batch;
    private final List<AttentionSpec> specs = new ArrayList<>();
    private final List<Double> millis = new ArrayList<>();
    private final List<Double> cpuMillis = new ArrayList<>();
    private final HostBuffer q;
    private final HostBuffer k;
    private final HostBuffer v;
    private final HostBuffer out;
    private final double bytes;

    Turn(KernelCode code, String format, int depth, int rows, int threads, int[] shape) {
      this.code = code;
      this.threads = threads;
      backend = new CpuBackend(threads, null, code);
      int dim = shape[2];
      KvFormat f = KvFormat.named(format);
      LayerKv kv = new LayerKv(shape[1], dim, dim, 0, f, f);
      KvLayout layout = KvLayout.of(Collections.nCopies(LAYERS, kv), BLOCK_TOKENS);
      int blocks = layout.groups().size() * (depth / BLOCK_TOKENS + 2);
      KvStorage storage = backend.storage(layout.blockBytes(), blocks);
      cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
      batch = new AttentionMetadata(layout, storage);
      float scale = (float) (1 / Math.sqrt(dim));
      for (int layer = 0; layer < LAYERS; layer++) {
        specs.add(new AttentionSpec(layer, shape[0], shape[1], dim, dim, scale, 0, null));
      }
      q = BenchMemory.randomBuffer(rows, shape[0] * dim);
      k = BenchMemory.randomBuffer(rows, shape[1] * dim);
      v = BenchMemory.randomBuffer(rows, shape[1] * dim);
      out = HostBuffer.allocate(rows, shape[0] * dim);
      BlockTable table = cache.open();
      cache.reserve(table, depth);
      BlockFill.random(storage, format);
      cache.commit(table, depth - rows);
      batch.add(table, rows);
      bytes = (double) depth * layout.payloadBytesPerToken() / LAYERS;
    }

    void step() {
      long cpu = CPU.getCurrentThreadCpuTime();
      long before = System.nanoTime();
      for (AttentionSpec spec : specs) {
        backend.attend(batch, spec, q, k, v, out);
      }
      millis.add((System.nanoTime() - before) / 1e6 / LAYERS);
      cpuMillis.add((CPU.getCurrentThreadCpuTime() - cpu) / 1e6 / LAYERS);
    }

    /// With one thread its own time, so that it means something on a busy machine too.
    double median() {
      List<Double> of = threads == 1 ? cpuMillis : millis;
      double[] counted = of.stream().skip(of.size() / 3).mapToDouble(Double::doubleValue).toArray();
      Arrays.sort(counted);
      return counted[counted.length / 2];
    }

    @Override
    public void close() {
      cache.close();
      backend.close();
    }
  }

  public static void main(String[] args) {
    int depth = Integer.parseInt(args[1]);
    int rows = Integer.parseInt(args[2]);
    int rounds = Integer.parseInt(args[3]);
    int threads = args.length > 5 ? Integer.parseInt(args[5]) : 2;
    int[] shape = {32, 8, 64};
    if (args.length > 6) {
      shape = Arrays.stream(args[6].split(",", -1)).mapToInt(Integer::parseInt).toArray();
    }
    for (String format : args[0].split(",", -1)) {
      List<Turn> turns = new ArrayList<>();
      for (String code : args[4].split(",", -1)) {
        turns.add(new Turn(KernelCode.valueOf(code), format, depth, rows, threads, shape));
      }
      for (int i = 0; i < rounds; i++) {
        turns.forEach(Turn::step);
      }
      double first = turns.getFirst().median();
      for (Turn turn : turns) {
        double ms = turn.median();
        System.out.printf(
            "%s %s: %.3f ms a layer, %.1f GB/s, %.0f GFLOP/s, %.2f times as fast as the first%n",
            format,
            turn.code,
            ms,
            turn.bytes / ms / 1e6,
            4.0 * rows * depth * shape[0] * shape[2] / ms / 1e6,
            first / ms);
        turn.close();
      }
    }
  }
}
