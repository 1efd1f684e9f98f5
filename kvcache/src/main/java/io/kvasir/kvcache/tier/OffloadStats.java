package io.kvasir.kvcache.tier;

import java.util.List;

/// What an [Offloader] did since it was made.
///
/// @param staged blocks copied out of the device to be stored
/// @param dropped blocks that left the device without being stored, for want of a staging slot
/// @param promotions loads asked for
/// @param promotedBlocks blocks brought back
/// @param recomputed promotions given up because computing was estimated to be faster
/// @param tiers each tier's own figures, from the nearest
public record OffloadStats(
    long staged,
    long dropped,
    long promotions,
    long promotedBlocks,
    long recomputed,
    List<NamedTier> tiers) {

  /// A tier's figures with its name.
  public record NamedTier(String name, TierStats stats) {}
}
