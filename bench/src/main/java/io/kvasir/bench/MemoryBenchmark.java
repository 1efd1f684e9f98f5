package io.kvasir.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/// What the machine's memory gives, for other results to be compared with: `gigabytes` read, or
/// read and written, per second over all threads.
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Threads(2)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 7, time = 1)
public class MemoryBenchmark {
  private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();
  private static final long BYTES = 128L << 20;

  private Arena arena;
  private MemorySegment source;
  private MemorySegment target;

  /// Rates, as JMH divides them by the time; `cpuSeconds` are the calling thread's, so that with
  /// one thread `gigabytes / cpuSeconds` means something on a busy machine too.
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Rates {
    public double gigabytes;
    public double cpuSeconds;
  }

  /// Written memory.
  @Setup(Level.Trial)
  public void open() {
    arena = Arena.ofShared();
    source = BenchMemory.random(arena, BYTES);
    target = BenchMemory.random(arena, BYTES);
  }

  /// Frees it.
  @TearDown(Level.Trial)
  public void close() {
    arena.close();
  }

  /// Reads one word of each cache line.
  @Benchmark
  public long read(Rates rates) {
    long before = CPU.getCurrentThreadCpuTime();
    long sum = 0;
    for (int line = 0; line < (int) (BYTES / 64); line++) {
      sum += source.get(ValueLayout.JAVA_LONG, 64L * line);
    }
    rates.cpuSeconds += (CPU.getCurrentThreadCpuTime() - before) / 1e9;
    rates.gigabytes += BYTES / 1e9;
    return sum;
  }

  /// Copies.
  @Benchmark
  public long copy(Rates rates) {
    long before = CPU.getCurrentThreadCpuTime();
    target.copyFrom(source);
    rates.cpuSeconds += (CPU.getCurrentThreadCpuTime() - before) / 1e9;
    rates.gigabytes += 2 * BYTES / 1e9;
    return target.get(ValueLayout.JAVA_LONG, 0);
  }
}
