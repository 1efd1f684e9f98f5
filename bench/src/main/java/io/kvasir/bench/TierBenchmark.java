package io.kvasir.bench;

import com.sun.management.OperatingSystemMXBean;
import io.kvasir.kvcache.resp.RespTier;
import io.kvasir.kvcache.resp.RespTierConfig;
import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.Tier;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
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

/// Blocks into the tiers and out of them, 16 a call, beside `raw`: the same bytes written to and
/// read from one plain file without checksums, records or index. Everything fits into the page
/// cache, so these are the rates of the software; cold reads have the device's. `cpuSeconds` are
/// the whole process's. `shared` wants a server, as by `redis-server --save "" --maxmemory 1gb
/// --maxmemory-policy allkeys-lru`.
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(value = 1, jvmArgsAppend = "-Xmx2g")
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public class TierBenchmark {
  private static final OperatingSystemMXBean PROCESS =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
  private static final int BATCH = 16;
  private static final long HELD_BYTES = 256L << 20;

  @Param({"host", "disk", "raw", "shared"})
  private String tier;

  @Param({"64", "2048"})
  private int blockKiB;

  /// Where `shared` finds its store.
  @Param("redis://127.0.0.1:6379")
  private String store;

  private Path folder;
  private Arena arena;
  private Tier held;
  private List<MemorySegment> blocks;
  private SplittableRandom random;
  private int count;
  private long next;

  /// Fills the tier.
  @Setup(Level.Trial)
  public void fill() throws IOException {
    int bytes = blockKiB << 10;
    folder = Files.createTempDirectory("kvasir-tier");
    arena = Arena.ofShared();
    random = new SplittableRandom(1);
    count = (int) (HELD_BYTES / bytes);
    blocks = new ArrayList<>();
    for (int i = 0; i < BATCH; i++) {
      MemorySegment block = arena.allocate(bytes, 64);
      for (long at = 0; at < bytes; at += 8) {
        block.set(ValueLayout.JAVA_LONG, at, random.nextLong());
      }
      blocks.add(block);
    }
    held = open(bytes);
    for (next = 0; next < count; next++) {
      if (!held.store(new BlockKey(next, 1), blocks.get((int) (next % BATCH)))) {
        throw new IOException("the " + tier + " tier does not take blocks");
      }
    }
  }

  private Tier open(int bytes) throws IOException {
    return switch (tier) {
      case "host" -> new HostTier(bytes, HELD_BYTES, true);
      case "disk" ->
          DiskTier.open(new DiskTierConfig(folder, bytes, HELD_BYTES + (HELD_BYTES >> 4), "bench"));
      case "raw" -> new RawFile(folder.resolve("raw"), bytes, count);
      default ->
          new RespTier(RespTierConfig.of(URI.create(store), bytes, "bench " + System.nanoTime()));
    };
  }

  /// Closes the tier and removes its files.
  @TearDown(Level.Trial)
  public void close() throws IOException {
    held.close();
    arena.close();
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  /// A run of blocks that were stored after one another.
  @Benchmark
  public int load(MemoryBenchmark.Rates rates) {
    long cpu = PROCESS.getProcessCpuTime();
    long first = next - count + random.nextInt(count - BATCH);
    List<BlockKey> keys = new ArrayList<>(BATCH);
    for (int i = 0; i < BATCH; i++) {
      keys.add(new BlockKey(first + i, 1));
    }
    int loaded = held.load(keys, blocks);
    if (loaded != BATCH) {
      throw new IllegalStateException("block " + (first + loaded) + " is gone");
    }
    count(rates, BATCH, cpu);
    return loaded;
  }

  /// A new block in place of the oldest.
  @Benchmark
  public boolean store(MemoryBenchmark.Rates rates) {
    long cpu = PROCESS.getProcessCpuTime();
    boolean stored = held.store(new BlockKey(next++, 1), blocks.get((int) (next % BATCH)));
    count(rates, 1, cpu);
    return stored;
  }

  private void count(MemoryBenchmark.Rates rates, int moved, long cpu) {
    rates.gigabytes += moved * (blockKiB << 10) / 1e9;
    rates.cpuSeconds += (PROCESS.getProcessCpuTime() - cpu) / 1e9;
  }
}
