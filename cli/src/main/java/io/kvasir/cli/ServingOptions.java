package io.kvasir.cli;

import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.server.WarmUp;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options of how many requests run and wait, and who comes first.
final class ServingOptions {
  /// A cache whose size is not given takes at most this part of the memory that is free.
  private static final int SPARE_SHARE = 4;

  @Option(
      names = "--max-sequences",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Most answers computed at once. Default: ${DEFAULT-VALUE}.")
  private int sequences = EngineConfig.DEFAULT.sequences();

  @Option(
      names = "--queue",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Most answers that wait; more get status 429. Default: ${DEFAULT-VALUE}.")
  private int queue = EngineConfig.DEFAULT.queueLimit();

  @Option(
      names = "--step-tokens",
      paramLabel = "N",
      converter = PositiveInt.class,
      description =
          "Most tokens of one step: fewer let answers flow more evenly, more compute prompts faster."
              + " Default: ${DEFAULT-VALUE}.")
  private int stepTokens = EngineConfig.DEFAULT.stepTokens();

  @Option(
      names = "--tenant-weight",
      paramLabel = "NAME=WEIGHT",
      description =
          "A tenant's share of the engine and of the cache beside the others' 1. May be repeated.")
  private @Nullable Map<String, Double> weights;

  @Option(
      names = "--warm-up",
      paramLabel = "SECONDS",
      description =
          "How long the model computes before it is offered, so that the first answers are not"
              + " slow; 0 for not at all. Default: ${DEFAULT-VALUE}.")
  private int warmUp = 2;

  @Option(
      names = "--audit",
      paramLabel = "SECONDS",
      converter = PositiveInt.class,
      description = "Prove the cache's invariants so often while requests run. Default: never.")
  private @Nullable Integer audit;

  /// The configuration with these options.
  EngineConfig applied(EngineConfig config) {
    if (warmUp < 0) {
      throw new UsageException("--warm-up must be 0 or more seconds, not " + warmUp);
    }
    try {
      EngineConfig result =
          config
              .withSpareBytes(AvailableMemory.bytes() / SPARE_SHARE)
              .withSequences(sequences)
              .withQueueLimit(queue)
              .withStepTokens(stepTokens)
              .withTenantWeights(weights == null ? Map.of() : new LinkedHashMap<>(weights));
      return audit == null ? result : result.withAuditEvery(Duration.ofSeconds(audit));
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  /// Makes the model ready for its first client.
  void warmUp(Engine engine) throws InterruptedException {
    if (warmUp > 0) {
      WarmUp.run(engine, Duration.ofSeconds(warmUp));
    }
  }
}
