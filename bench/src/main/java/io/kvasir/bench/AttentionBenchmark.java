package io.kvasir.bench;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageSkips;
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
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Attention at depth over several layers, so that the cache's bytes come from memory. The default
/// shape is Llama-3.2-1B's: 32 query heads, 8 kv heads of 64. `gigabytes` is bytes of keys and
/// values as they are stored per second, each counted once per call; beside it,
/// [MemoryBenchmark#copy] is what the machine's memory gives. Everything is read from codes: no
/// exact rows.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "-Xmx4g"
    })
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 7, time = 1)
public class AttentionBenchmark {
  private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();
  private static final int LAYERS = 4;
  private static final int BLOCK_TOKENS = 64;

  /// Of keys and values, or the two with a slash between.
  @Param({"f16", "bf16", "f32", "int8", "int4", "int8/int4"})
  String format;

  @Param({"4096", "16384"})
  int depth;

  /// 1 is a decode step, more a chunk of a prompt.
  @Param({"1", "64"})
  int rows;

  /// Share of pages that the rows leave out; 0 reads everything.
  @Param({"0"})
  double skip;

  @Param({"32"})
  int heads;

  @Param({"8"})
  int kvHeads;

  @Param({"64"})
  int dim;

  @Param({"2"})
  int threads;

  @Param({"MACHINE", "VECTOR"})
  KernelCode code;

  private CpuBackend backend;
  private KvCache cache;
  private AttentionMetadata batch;
  private List<AttentionSpec> specs;
  private HostBuffer q;
  private HostBuffer k;
  private HostBuffer v;
  private HostBuffer out;
  private double bytes;

  /// Rates, as JMH divides them by the time; `cpuSeconds` are the calling thread's, so that with
  /// one thread `gigabytes / cpuSeconds` means something on a busy machine too.
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Rates {
    public double gigabytes;
    public double gigaflops;
    public double cpuSeconds;
  }

  /// Fills a cache to the depth through the backend itself, a chunk of rows at a time.
  @Setup(Level.Trial)
  public void open() {
    backend = new CpuBackend(threads, null, code);
    String[] names = format.split("/", -1);
    KvFormat keys = KvFormat.named(names[0]);
    KvFormat values = KvFormat.named(names[names.length - 1]);
    LayerKv kv = new LayerKv(kvHeads, dim, dim, 0, keys, values);
    KvLayout layout = KvLayout.of(List.of(kv, kv, kv, kv), BLOCK_TOKENS);
    int margin = new PageBounds(layout).blocks(PageSkips.pages(depth));
    int blocks = layout.groups().size() * (depth / BLOCK_TOKENS + 2) + margin;
    KvStorage storage = backend.storage(layout.blockBytes(), blocks);
    cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
    batch = new AttentionMetadata(layout, storage);
    specs = new ArrayList<>();
    for (int layer = 0; layer < LAYERS; layer++) {
      float scale = (float) (1 / Math.sqrt(dim));
      specs.add(new AttentionSpec(layer, heads, kvHeads, dim, dim, scale, 0, null));
    }
    q = BenchMemory.randomBuffer(rows, heads * dim);
    k = BenchMemory.randomBuffer(rows, kvHeads * dim);
    v = BenchMemory.randomBuffer(rows, kvHeads * dim);
    out = HostBuffer.allocate(rows, heads * dim);
    BlockTable table = cache.open();
    cache.reserve(table, depth);
    cache.reserveMargin(table, margin);
    BlockFill.random(storage, format);
    cache.commit(table, depth - rows);
    List<PageSkips.Range> skipped =
        skip == 0 ? List.of() : List.of(new PageSkips.Range(0, Integer.MAX_VALUE, skip));
    batch.add(table, rows, skip == 0 ? null : new PageSkips(skipped));
    bytes = (double) depth * layout.payloadBytesPerToken();
  }

  /// Ends the threads and frees the cache.
  @TearDown(Level.Trial)
  public void close() {
    cache.close();
    backend.close();
  }

  /// One step through all layers.
  @Benchmark
  public float attend(Rates rates) {
    long before = CPU.getCurrentThreadCpuTime();
    for (AttentionSpec spec : specs) {
      backend.attend(batch, spec, q, k, v, out);
    }
    rates.cpuSeconds += (CPU.getCurrentThreadCpuTime() - before) / 1e9;
    rates.gigabytes += bytes / 1e9;
    rates.gigaflops += 4.0 * LAYERS * rows * depth * heads * dim / 1e9;
    return out.values()[0];
  }
}
