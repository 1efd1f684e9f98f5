package io.kvasir.cli.load;

/// The requests of a run, the same for the same seed. Safe for use by several threads.
public sealed interface LoadPlan permits SyntheticLoad, TraceLoad {
  /// A time that means: as soon as a client is free.
  long WHEN_FREE = -1;

  int requestCount();

  /// When the request leaves, in nanoseconds since the run began, not falling from one request to
  /// the next; or [#WHEN_FREE].
  long atNanos(int request);

  int promptTokens(int request);

  /// Most tokens of the answer, at least 1.
  int outputTokens(int request);

  /// The prompt, made anew on each call.
  int[] prompt(int request);

  /// Prompt and answer of the longest request.
  default int longest() {
    int longest = 0;
    for (int i = 0; i < requestCount(); i++) {
      longest = Math.max(longest, promptTokens(i) + outputTokens(i));
    }
    return longest;
  }
}
