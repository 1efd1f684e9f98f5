package io.kvasir.sim;

import java.util.List;

/// What one replay of a trace is about.
///
/// @param policy a name of [SimulatedPolicies#names]
/// @param blocks blocks that the cache keeps
/// @param tiers tiers below it, the fastest first
/// @param mode whether requests come one at a time or overlap as the trace says
/// @param rates how fast a request is served; for overlapping requests and for saved time
public record ReplayConfig(
    String policy, int blocks, List<TierSpec> tiers, Mode mode, ServiceRates rates) {
  /// Most blocks of a simulated cache.
  public static final int MAX_BLOCKS = 1 << 30;

  /// How requests share the cache.
  public enum Mode {
    /// Each request ends before the next one begins, and `blocks` stay cached between them: the
    /// definition behind published hit rates.
    ONE_AT_A_TIME,
    /// Requests hold their blocks while they run, out of the same pool of `blocks`, and wait where
    /// the pool is full.
    OVERLAPPING
  }

  public ReplayConfig {
    if (blocks < 1 || blocks > MAX_BLOCKS) {
      throw new IllegalArgumentException(
          "a simulated cache has 1 to " + MAX_BLOCKS + " blocks, not " + blocks);
    }
    tiers = List.copyOf(tiers);
  }
}
