package io.kvasir.engine;

/// What an engine's steps took. Bucket `i` of a histogram counts values up to `2^i` of its unit
/// that are above those of bucket `i - 1`; the last bucket counts all that are larger.
///
/// @param steps how many
/// @param sequences sum over the steps of the sequences that took part
/// @param tokens sum over the steps of the tokens computed
/// @param stepNanos sum of whole steps
/// @param hostNanos of that, planning and bookkeeping: all but the model's pass and the choice of
///   tokens
/// @param stepMicros histogram of whole steps in microseconds
/// @param hostMicros histogram of planning and bookkeeping in microseconds
/// @param stepTokens histogram of tokens per step
@SuppressWarnings("ArrayRecordComponent") // copies, made for the snapshot
public record StepStats(
    long steps,
    long sequences,
    long tokens,
    long stepNanos,
    long hostNanos,
    long[] stepMicros,
    long[] hostMicros,
    long[] stepTokens) {

  /// Buckets of a histogram.
  public static final int BUCKETS = 26;
}
