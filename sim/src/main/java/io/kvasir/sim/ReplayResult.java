package io.kvasir.sim;

import java.util.List;

/// What came of one replay.
///
/// @param config what was replayed
/// @param promptBlocks blocks of the prompts that were served
/// @param hitBlocks of those, leading blocks that the cache held
/// @param tierHits of those that follow, leading blocks that each tier held
/// @param evictions blocks that the cache forgot
/// @param policyNanos mean time of a call to the policy, in nanoseconds
/// @param savedSeconds prefill time that hits saved, less the time to load tier hits
/// @param load what waiting there was; zeros for requests one at a time
public record ReplayResult(
    ReplayConfig config,
    long promptBlocks,
    long hitBlocks,
    List<Long> tierHits,
    long evictions,
    double policyNanos,
    double savedSeconds,
    Load load) {

  /// How overlapping requests fared.
  ///
  /// @param mostRunning most requests that ran at once
  /// @param refused requests that need more blocks than the pool has
  /// @param waited requests that had to wait for blocks
  /// @param waitSeconds how long they waited together
  public record Load(int mostRunning, int refused, int waited, double waitSeconds) {
    static final Load NONE = new Load(1, 0, 0, 0);
  }

  public ReplayResult {
    tierHits = List.copyOf(tierHits);
  }

  /// The part of all prompt blocks that the cache held.
  public double hitRate() {
    return rate(hitBlocks);
  }

  /// The part of all prompt blocks that tier `index` held.
  public double tierHitRate(int index) {
    return rate(tierHits.get(index));
  }

  /// The part of all prompt blocks that cache and tiers held.
  public double totalHitRate() {
    long hits = hitBlocks;
    for (long tier : tierHits) {
      hits += tier;
    }
    return rate(hits);
  }

  private double rate(long hits) {
    return promptBlocks == 0 ? 0 : (double) hits / promptBlocks;
  }
}
