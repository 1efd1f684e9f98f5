package io.kvasir.kvcache.tier;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// A place below the device's block pool where blocks outlive their eviction: host memory, disk, a
/// shared store. Addressed by content, so nothing that a tier holds can become stale, and losing
/// anything at any moment costs a recomputation and never an answer.
///
/// Calls may block and come from the offloader's threads, several at once; [#contains] comes from
/// the cache's owner as well and answers from memory. No call throws for reasons outside the
/// process: a full disk, a torn block or a dead server are a `false`, counted in [#stats] and
/// logged once.
public interface Tier extends AutoCloseable {

  /// The word for this tier in statistics and logs: `host`, `disk`, `shared`.
  String name();

  /// Whether what it holds outlives this process. Such a tier gets blocks as soon as nobody
  /// computes on them, any other only when they leave the device.
  default boolean isPersistent() {
    return true;
  }

  /// Whether others add blocks that only [#leading] learns of, so that a [#contains] of false says
  /// nothing.
  default boolean isShared() {
    return false;
  }

  /// Whether the block is probably held. [#load] decides.
  boolean contains(BlockKey key);

  /// How many of the first keys are probably held, asked in one exchange where asking is slow.
  default int leading(List<BlockKey> keys) {
    int held = 0;
    while (held < keys.size() && contains(keys.get(held))) {
      held++;
    }
    return held;
  }

  /// Keeps a copy of the block's bytes, making room by the tier's own policy.
  ///
  /// @return whether it is held now
  boolean store(BlockKey key, MemorySegment bytes);

  /// Reads blocks, in one exchange where that is faster. The bytes are checked against the checksum
  /// they were stored with.
  ///
  /// @param into one segment of the block's size per key
  /// @return how many of the first keys were read completely; segments behind them may hold
  ///   anything
  int load(List<BlockKey> keys, List<MemorySegment> into);

  TierStats stats();

  /// Proves that the tier's own books agree with what it holds.
  ///
  /// @throws IllegalStateException naming what disagrees
  void verify();

  @Override
  void close();
}
