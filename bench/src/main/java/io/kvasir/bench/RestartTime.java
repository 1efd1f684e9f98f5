package io.kvasir.bench;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.TierFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// Time to the first token of a known prompt after a restart, from the disk tier, against computing
/// it: `RestartTime MODEL FOLDER [TOKENS]`. The code is warm, since a first round with another
/// prompt goes before; what a new process adds is measured by starting one.
public final class RestartTime {
  private static final int ROUNDS = 5;

  private RestartTime() {}

  public static void main(String[] args) throws InterruptedException {
    int tokens = args.length > 2 ? Integer.parseInt(args[2]) : 3000;
    Path folder = Path.of(args[1]);
    TierFactory disk =
        (fingerprint, blockBytes) -> {
          try {
            return DiskTier.open(
                new DiskTierConfig(folder, (int) blockBytes, 4L << 30, fingerprint));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    EngineConfig config = EngineConfig.DEFAULT.withTiers(List.of(disk));
    double[] cold = new double[ROUNDS];
    double[] warm = new double[ROUNDS];
    try (Backend backend = new CpuBackend(Runtime.getRuntime().availableProcessors())) {
      for (int round = -1; round < ROUNDS; round++) {
        double first = firstTokenMillis(Path.of(args[0]), backend, config, prompt(round, tokens));
        double second = firstTokenMillis(Path.of(args[0]), backend, config, prompt(round, tokens));
        if (round >= 0) {
          cold[round] = first;
          warm[round] = second;
        }
      }
    }
    Arrays.sort(cold);
    Arrays.sort(warm);
    System.out.printf(
        "%d tokens: cold %.0f ms (%.0f to %.0f), after a restart %.0f ms (%.0f to %.0f), %.1f %%%n",
        tokens,
        cold[ROUNDS / 2],
        cold[0],
        cold[ROUNDS - 1],
        warm[ROUNDS / 2],
        warm[0],
        warm[ROUNDS - 1],
        100 * warm[ROUNDS / 2] / cold[ROUNDS / 2]);
  }

  private static int[] prompt(int seed, int length) {
    int[] tokens = new int[length];
    for (int i = 0; i < length; i++) {
      tokens[i] = 10 + (i * 131 + (seed + 3) * 977 + i * i * 7) % 8000;
    }
    return tokens;
  }

  /// Opens an engine, asks once and closes it.
  private static double firstTokenMillis(
      Path model, Backend backend, EngineConfig config, int[] prompt) throws InterruptedException {
    try (Engine engine = Engine.open(model, backend, config)) {
      TokenStream stream = engine.submit(new Request(prompt, 1, SamplingOptions.GREEDY, Set.of()));
      while (stream.advance()) {}
      Outcome outcome = stream.outcome();
      return (outcome.queueNanos() + outcome.prefillNanos()) / 1e6;
    }
  }
}
