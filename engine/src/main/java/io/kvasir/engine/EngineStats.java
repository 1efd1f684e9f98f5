package io.kvasir.engine;

/// What an [Engine] is doing, between two steps.
///
/// @param running requests that take part in steps or wait for blocks from a lower tier
/// @param waiting requests that wait for room
/// @param preemptions how often a running request had to give its room to another so far
public record EngineStats(int running, int waiting, long preemptions) {}
