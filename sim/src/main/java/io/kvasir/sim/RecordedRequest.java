package io.kvasir.sim;

/// What a recorded trace keeps of a request besides the hashes of its blocks. Times are nanoseconds
/// since the recording began.
///
/// @param arrivalNanos when it came
/// @param firstTokenNanos when its first token was ready
/// @param endNanos when it ended; 0 where times after the arrival are not known
/// @param saltHash stands for its tenant: equal for equal salts, 0 for none
/// @param blockTokens tokens of a block
/// @param promptTokens length of its prompt
/// @param outputTokens length of its answer
/// @param cachedTokens prompt tokens that were found in the cache
/// @param blockCount blocks that prompt and answer fill completely, or only those of the prompt
public record RecordedRequest(
    long arrivalNanos,
    long firstTokenNanos,
    long endNanos,
    long saltHash,
    int blockTokens,
    int promptTokens,
    int outputTokens,
    int cachedTokens,
    int blockCount) {

  public RecordedRequest {
    long most = ((long) promptTokens + outputTokens) / Math.max(1, blockTokens);
    if (blockTokens < 1
        || promptTokens < 0
        || outputTokens < 0
        || blockCount < promptTokens / blockTokens
        || blockCount > most) {
      throw new IllegalArgumentException(
          "%d blocks of %d tokens cannot belong to %d prompt and %d output tokens"
              .formatted(blockCount, blockTokens, promptTokens, outputTokens));
    }
    if (arrivalNanos < 0 || firstTokenNanos < 0 || endNanos < 0) {
      throw new IllegalArgumentException(
          "times begin with the recording: arrival %d ns, first token %d ns, end %d ns"
              .formatted(arrivalNanos, firstTokenNanos, endNanos));
    }
  }
}
