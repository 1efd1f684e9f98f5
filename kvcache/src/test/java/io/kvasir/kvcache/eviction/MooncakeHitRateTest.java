package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// The figures on a real trace: 12,031 requests of a chat service in 512-token blocks.
///
/// Source of the trace: Qin et al., "Mooncake: Trading More Storage for Less Computation", FAST
/// 2025.
final class MooncakeHitRateTest {
  private static final int[] CAPACITIES = {1000, 3000, 10_000, 30_000};

  @Test
  void lru_hitsWhatTheReferenceHits() throws IOException {
    BlockTrace trace = trace();
    double[] reference = {0.0445, 0.0653, 0.2116, 0.3257};
    for (int i = 0; i < CAPACITIES.length; i++) {
      assertThat(trace.hitRate(LruPolicy::new, CAPACITIES[i]))
          .isCloseTo(reference[i], within(0.00005));
    }
  }

  @Test
  void default_isFarAheadWhereTheCacheIsSmallAndNeverBehind() throws IOException {
    BlockTrace trace = trace();
    EvictionPolicy.Factory factory = EvictionPolicies.named(EvictionPolicies.defaultName());
    double[] least = {0.080, 0.131, 0.220, 0.3250};
    for (int i = 0; i < CAPACITIES.length; i++) {
      assertThat(trace.hitRate(factory, CAPACITIES[i]))
          .as("%d blocks", CAPACITIES[i])
          .isGreaterThan(least[i]);
    }
  }

  private static BlockTrace trace() throws IOException {
    Path file =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("../shared/traces/mooncake-conversation.jsonl");
    if (!Files.isRegularFile(file)) {
      Assumptions.abort("[no-reference-data] " + file + " is absent");
    }
    return BlockTrace.read(file);
  }
}
