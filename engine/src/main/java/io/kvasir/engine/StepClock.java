package io.kvasir.engine;

/// Measures steps, allocating nothing but for snapshots. Owned by the engine's thread.
final class StepClock {
  private long steps;
  private long sequences;
  private long tokens;
  private long stepNanos;
  private long hostNanos;
  private final long[] stepMicros = new long[StepStats.BUCKETS];
  private final long[] hostMicros = new long[StepStats.BUCKETS];
  private final long[] stepTokens = new long[StepStats.BUCKETS];

  /// Counts a step that ends now.
  ///
  /// @param modelNanos what the model's pass and the choice of tokens took of it
  void record(int stepSequences, int computedTokens, long beginNanos, long modelNanos) {
    long whole = System.nanoTime() - beginNanos;
    long host = whole - modelNanos;
    steps++;
    sequences += stepSequences;
    tokens += computedTokens;
    stepNanos += whole;
    hostNanos += host;
    stepMicros[bucket(whole / 1_000)]++;
    hostMicros[bucket(host / 1_000)]++;
    stepTokens[bucket(computedTokens)]++;
    StepEvent event = new StepEvent();
    if (event.shouldCommit()) {
      event.sequences = stepSequences;
      event.tokens = computedTokens;
      event.stepNanos = whole;
      event.hostNanos = host;
      event.commit();
    }
  }

  private static int bucket(long value) {
    int log = value <= 1 ? 0 : 64 - Long.numberOfLeadingZeros(value - 1);
    return Math.min(log, StepStats.BUCKETS - 1);
  }

  StepStats snapshot() {
    return new StepStats(
        steps,
        sequences,
        tokens,
        stepNanos,
        hostNanos,
        stepMicros.clone(),
        hostMicros.clone(),
        stepTokens.clone());
  }
}
