package io.kvasir.engine;

/// What an [Engine] is doing, between two steps.
///
/// @param running requests that take part in steps or wait for blocks from a lower tier
/// @param waiting requests that wait for room
/// @param tenants tenants that have requests, running or waiting
/// @param preemptions how often a running request had to give its room to another so far
/// @param recomputedTokens tokens that preempted requests had to compute again so far
/// @param prunedTokens tokens that policies dropped from live sequences so far, on average over
///   layers and heads
public record EngineStats(
    int running,
    int waiting,
    int tenants,
    long preemptions,
    long recomputedTokens,
    long prunedTokens) {}
