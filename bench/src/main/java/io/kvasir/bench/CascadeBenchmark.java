package io.kvasir.bench;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCache.Forked;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
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

/// One decode step of many sequences that share two prefixes, half of them each. `neighbours` has
/// those that share beside each other, as the engine puts them, so that a prefix is read once for
/// all; `apart` has them in turn, so that each sequence reads its own. The blocks are the same.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(
    value = 1,
    jvmArgsAppend = {"--add-modules=jdk.incubator.vector", "-Xmx2g"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 7, time = 1)
public class CascadeBenchmark {
  private static final int LAYERS = 4;
  private static final int BLOCK_TOKENS = 64;
  private static final int OWN_TOKENS = 32;

  @Param({"1024", "4096"})
  int prefix;

  @Param({"8", "32"})
  int sequences;

  @Param({"apart", "neighbours"})
  String order;

  @Param({"32"})
  int heads;

  @Param({"8"})
  int kvHeads;

  @Param({"64"})
  int dim;

  @Param({"2"})
  int threads;

  private CpuBackend backend;
  private KvCache cache;
  private AttentionMetadata batch;
  private final List<AttentionSpec> specs = new ArrayList<>();
  private HostBuffer q;
  private HostBuffer k;
  private HostBuffer v;
  private HostBuffer out;

  @Setup(Level.Trial)
  public void open() {
    backend = new CpuBackend(threads);
    LayerKv kv = new LayerKv(kvHeads, dim, dim, 0, KvFormat.F16, KvFormat.F16);
    KvLayout layout = KvLayout.of(List.of(kv, kv, kv, kv), BLOCK_TOKENS);
    int blocks = layout.groups().size() * (2 * (prefix / BLOCK_TOKENS + 2) + 3 * sequences);
    KvStorage storage = backend.storage(layout.blockBytes(), blocks);
    cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
    batch = new AttentionMetadata(layout, storage);
    for (int layer = 0; layer < LAYERS; layer++) {
      float scale = (float) (1 / Math.sqrt(dim));
      specs.add(new AttentionSpec(layer, heads, kvHeads, dim, dim, scale, 0, null));
    }
    q = BenchMemory.randomBuffer(sequences, heads * dim);
    k = BenchMemory.randomBuffer(sequences, kvHeads * dim);
    v = BenchMemory.randomBuffer(sequences, kvHeads * dim);
    out = HostBuffer.allocate(sequences, heads * dim);
    BlockFill.random(storage, "f16");
    List<BlockTable> tables = new ArrayList<>();
    for (int side = 0; side < 2; side++) {
      BlockTable base = cache.open();
      cache.reserve(base, prefix);
      cache.commit(base, prefix);
      for (int i = 0; i < sequences / 2; i++) {
        BlockTable fork = ((Forked.Table) cache.fork(base)).table();
        cache.reserve(fork, OWN_TOKENS + 1);
        cache.commit(fork, OWN_TOKENS);
        tables.add(fork);
      }
    }
    for (int i = 0; i < sequences; i++) {
      boolean apart = order.equals("apart");
      batch.add(tables.get(apart ? i % 2 * (sequences / 2) + i / 2 : i), 1);
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    cache.close();
    backend.close();
  }

  /// One step through all layers.
  @Benchmark
  public float attend() {
    for (AttentionSpec spec : specs) {
      backend.attend(batch, spec, q, k, v, out);
    }
    return out.values()[0];
  }
}
