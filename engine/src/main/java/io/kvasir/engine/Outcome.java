package io.kvasir.engine;

import io.kvasir.kvcache.PrefixMiss;
import org.jspecify.annotations.Nullable;

/// How a request ended and what it cost. Times are nanoseconds.
///
/// @param promptTokens tokens of the prompt
/// @param cachedTokens prompt tokens whose keys and values were reused
/// @param completionTokens tokens of the answer
/// @param queueNanos from submission until the first step that computed for it
/// @param prefillNanos from there to the first token
/// @param decodeNanos from the first token to the last
/// @param cacheBytes cache memory the sequence held when it ended
/// @param miss why the rest of the prompt was not cached
/// @param preemptions how often the request gave its room to another and went on later
/// @param prunedTokens tokens that were dropped from the cache while the request ran, on average
///   over layers and heads
/// @param error what went wrong, for [FinishReason#ERROR]
public record Outcome(
    FinishReason reason,
    int promptTokens,
    int cachedTokens,
    int completionTokens,
    long queueNanos,
    long prefillNanos,
    long decodeNanos,
    long cacheBytes,
    PrefixMiss miss,
    int preemptions,
    int prunedTokens,
    @Nullable Throwable error) {

  /// Whether anything was computed for the request.
  public boolean started() {
    return prefillNanos > 0 || completionTokens > 0;
  }

  /// The same costs, ended for another reason.
  Outcome withReason(FinishReason value) {
    return new Outcome(
        value,
        promptTokens,
        cachedTokens,
        completionTokens,
        queueNanos,
        prefillNanos,
        decodeNanos,
        cacheBytes,
        miss,
        preemptions,
        prunedTokens,
        error);
  }

  /// Prompt tokens computed per second.
  public double prefillRate() {
    return rate(promptTokens - cachedTokens, prefillNanos);
  }

  /// Tokens per second after the first.
  public double decodeRate() {
    return rate(completionTokens - 1, decodeNanos);
  }

  private static double rate(int tokens, long nanos) {
    return tokens <= 0 || nanos <= 0 ? 0 : tokens * 1e9 / nanos;
  }
}
