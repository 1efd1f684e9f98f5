package io.kvasir.kvcache.tier;

/// What a [Tier] holds and did since it was opened.
///
/// @param blocks blocks held
/// @param bytes bytes held, headers included
/// @param capacityBytes most bytes it may hold
/// @param hits blocks read
/// @param misses blocks asked for and not held
/// @param stored blocks taken
/// @param evicted blocks dropped for room
/// @param failures operations that failed for reasons outside: damaged, timed out, no space
/// @param loadNanos time spent in reading `hits` blocks
/// @param storeNanos time spent in taking `stored` blocks
public record TierStats(
    long blocks,
    long bytes,
    long capacityBytes,
    long hits,
    long misses,
    long stored,
    long evicted,
    long failures,
    long loadNanos,
    long storeNanos) {}
