package io.kvasir.kvcache.tier;

import java.util.concurrent.atomic.LongAdder;

/// The counters behind a tier's [TierStats]; any thread may count.
public final class TierCounters {
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder stored = new LongAdder();
  private final LongAdder evicted = new LongAdder();
  private final LongAdder failures = new LongAdder();
  private final LongAdder loadNanos = new LongAdder();
  private final LongAdder storeNanos = new LongAdder();

  /// All counters start at zero.
  public TierCounters() {}

  /// Blocks were read, and it took so long.
  public void hit(int blocks, long nanos) {
    hits.add(blocks);
    loadNanos.add(nanos);
  }

  /// Blocks were asked for and could not be given.
  public void miss(int blocks) {
    misses.add(blocks);
  }

  /// A block was taken, and it took so long.
  public void stored(long nanos) {
    stored.increment();
    storeNanos.add(nanos);
  }

  /// A block was dropped for room.
  public void evicted() {
    evicted.increment();
  }

  /// An operation failed for a reason outside.
  ///
  /// @return whether it is the first failure of all, which is worth a line in the log
  public boolean failed() {
    boolean first = failures.sum() == 0;
    failures.increment();
    return first;
  }

  /// @param blocks blocks held now
  /// @param bytes bytes held now, headers included
  /// @param capacityBytes most bytes that may be held
  public TierStats stats(long blocks, long bytes, long capacityBytes) {
    return new TierStats(
        blocks,
        bytes,
        capacityBytes,
        hits.sum(),
        misses.sum(),
        stored.sum(),
        evicted.sum(),
        failures.sum(),
        loadNanos.sum(),
        storeNanos.sum());
  }
}
