package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class WarmUpTest {
  @Test
  void run_anyEngine_leavesNothingInTheCache() throws Exception {
    try (Stories stories = Stories.start()) {
      WarmUp.run(stories.engine, Duration.ofMillis(1));
      assertThat(stories.engine.snapshot().steps().tokens()).isGreaterThan(300);
      assertThat(stories.engine.cacheStats().cachedBlocks()).isZero();
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
      stories.engine.verify();
    }
  }
}
