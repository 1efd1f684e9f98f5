package io.kvasir.bench;

import com.sun.management.ThreadMXBean;
import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.StepStats;
import io.kvasir.engine.TokenStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// What a decode step costs besides the model: planning and bookkeeping in microseconds, and bytes
/// allocated on the engine's thread, with 1, 16, 64 and 256 sequences: `StepCost MODEL`. A tiny
/// model keeps it short (`RandomModel tiny`). The token streams grow by doubling, and a snapshot is
/// published every 20 ms; both are in the bytes.
public final class StepCost {
  private static final int TOKENS = 400;
  private static final int PROMPT = 40;
  private static final int ROUNDS = 3;

  private StepCost() {}

  public static void main(String[] args) throws InterruptedException {
    EngineConfig config = EngineConfig.DEFAULT.withCacheBytes(512L << 20);
    try (Backend backend = new CpuBackend(Runtime.getRuntime().availableProcessors());
        Engine engine = Engine.open(Path.of(args[0]), backend, config)) {
      run(engine, 16);
      System.out.println("sequences  us/step host  us/step whole  bytes/step");
      for (int sequences : new int[] {1, 16, 64, 256}) {
        for (int round = 0; round < ROUNDS; round++) {
          StepStats before = engine.snapshot().steps();
          long bytes = allocated();
          run(engine, sequences);
          Thread.sleep(50);
          StepStats after = engine.snapshot().steps();
          double steps = after.steps() - before.steps();
          System.out.printf(
              "%9d  %12.1f  %13.1f  %10.0f%n",
              sequences,
              (after.hostNanos() - before.hostNanos()) / steps / 1e3,
              (after.stepNanos() - before.stepNanos()) / steps / 1e3,
              (allocated() - bytes) / steps);
        }
      }
    }
  }

  /// Bytes that the engine's thread has allocated so far.
  private static long allocated() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (long id : threads.getAllThreadIds()) {
      if (threads.getThreadInfo(id).getThreadName().equals("kvasir-engine")) {
        return threads.getThreadAllocatedBytes(id);
      }
    }
    throw new IllegalStateException("there is no engine thread");
  }

  private static void run(Engine engine, int sequences) throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < sequences; i++) {
      int[] prompt = new int[PROMPT];
      for (int k = 0; k < PROMPT; k++) {
        prompt[k] = (k * 37 + i * 11) % 300 + 3;
      }
      streams.add(engine.submit(new Request(prompt, TOKENS, SamplingOptions.GREEDY, Set.of())));
    }
    for (TokenStream stream : streams) {
      while (stream.advance()) {}
    }
  }
}
