package io.kvasir.bench;

import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// A linear map whose weights lie in memory, not in a cache: `gigabytes` is bytes of weights per
/// second, `gigaflops` two operations per weight and row.
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
public class LinearBenchmark {
  private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();
  private static final long WEIGHT_BYTES = 192L << 20;

  @Param({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K", "Q5_K", "Q5_0", "IQ4_XS", "MXFP4"})
  TensorType type;

  /// 1 is a decode step, more a batch or a prompt.
  @Param({"1", "4", "64"})
  int rows;

  @Param({"2048"})
  int columns;

  @Param({"2"})
  int threads;

  @Param({"MACHINE", "VECTOR"})
  KernelCode code;

  private Arena arena;
  private CpuBackend backend;
  private Linear linear;
  private HostBuffer in;
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

  /// Random weights of one matrix.
  @Setup(Level.Trial)
  public void open() {
    arena = Arena.ofShared();
    backend = new CpuBackend(threads, null, code);
    int outputs = (int) (WEIGHT_BYTES / type.bytes(columns));
    MemorySegment memory = BenchMemory.random(arena, outputs * type.bytes(columns));
    Tensor tensor = new Tensor("w", type, new long[] {outputs, columns}, memory);
    linear = new Linear(HostWeight.of(tensor), null);
    in = BenchMemory.randomBuffer(rows, columns);
    out = HostBuffer.allocate(rows, outputs);
    bytes = memory.byteSize();
  }

  /// Ends the threads.
  @TearDown(Level.Trial)
  public void close() {
    backend.close();
    arena.close();
  }

  /// The map of all rows.
  @Benchmark
  public float multiply(Rates rates) {
    long before = CPU.getCurrentThreadCpuTime();
    backend.linear(linear, in, out, rows);
    rates.cpuSeconds += (CPU.getCurrentThreadCpuTime() - before) / 1e9;
    rates.gigabytes += bytes / 1e9;
    rates.gigaflops += 2.0 * rows * columns * out.columns() / 1e9;
    return out.values()[0];
  }
}
