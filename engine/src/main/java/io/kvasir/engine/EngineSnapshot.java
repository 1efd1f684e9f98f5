package io.kvasir.engine;

import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.kvcache.tier.OffloadStats;
import org.jspecify.annotations.Nullable;

/// The state of an [Engine] between two steps, as it published it.
///
/// @param load its requests
/// @param cache its cache
/// @param offload what moved between the cache and the tiers below it; null where there are none
/// @param steps its steps since it was opened
/// @param audits how often the cache's invariants were proven
/// @param takenNanos when, on the clock of [System#nanoTime]
public record EngineSnapshot(
    EngineStats load,
    KvCacheStats cache,
    @Nullable OffloadStats offload,
    StepStats steps,
    Audits audits,
    long takenNanos) {

  /// Audits of a running engine; see [EngineConfig#withAuditEvery].
  ///
  /// @param runs how many
  /// @param violations how many found an invariant broken, which is a defect of the engine
  public record Audits(long runs, long violations) {}
}
