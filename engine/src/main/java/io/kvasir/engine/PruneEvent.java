package io.kvasir.engine;

import io.kvasir.kvcache.prune.PruneOptions;

/// A sequence is pruned once it has so many computed positions.
///
/// @param position length of the table at that moment
record PruneEvent(int position, PruneOptions options) {}
