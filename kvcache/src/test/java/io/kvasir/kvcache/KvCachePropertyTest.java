package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/// A million random operations against the naive model and content oracle of [CacheExercise].
final class KvCachePropertyTest {
  private static final int OPERATIONS = 2_500;
  private static final int SEEDS = 400;

  @Test
  void operations_random_keepContentAndInvariants() {
    long fresh = Long.getLong("kvasir.test.seed", System.nanoTime());
    long hits = 0;
    long promoted = 0;
    long prunings = 0;
    for (int i = 0; i <= SEEDS; i++) {
      CacheExercise.Outcome outcome = CacheExercise.run(i == SEEDS ? fresh : i, OPERATIONS);
      hits += outcome.hitTokens();
      promoted += outcome.promotedBlocks();
      prunings += outcome.prunings();
    }
    // Prefixes met often enough for the run to mean something.
    assertThat(hits).isGreaterThan(1_000_000);
    assertThat(promoted).isGreaterThan(1_000);
    assertThat(prunings).isGreaterThan(5_000);
  }
}
