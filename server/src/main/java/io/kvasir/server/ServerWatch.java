package io.kvasir.server;

import java.time.Instant;

/// Told of what a server does, by the threads that do it: returns soon and throws nothing.
public interface ServerWatch {
  /// Is told nothing.
  ServerWatch NOBODY = new ServerWatch() {};

  /// A request has ended. Holds neither prompts nor keys.
  default void requested(Requested request) {}

  /// An answer has ended.
  default void answered(Answered answer) {}

  /// Whether [#answered] does anything.
  default boolean wantsAnswers() {
    return false;
  }

  /// A request that has ended.
  ///
  /// @param time when it came
  /// @param id what `X-Request-Id` said; empty where it said nothing
  /// @param tenant whose key it had; empty for nobody in particular
  /// @param route the route's pattern; `-` for none
  /// @param status what it was answered with; 499 where the client went away
  /// @param promptTokens over all prompts; 0 where nothing was generated
  /// @param firstTokenNanos to the first token; -1 where none came
  /// @param durationNanos to the end
  record Requested(
      Instant time,
      String id,
      String tenant,
      String method,
      String route,
      int status,
      int promptTokens,
      int cachedTokens,
      int completionTokens,
      long firstTokenNanos,
      long durationNanos) {

    /// One line of words `key=value`.
    public String line() {
      StringBuilder line = new StringBuilder(200);
      line.append("time=").append(time).append(" id=").append(id.isEmpty() ? "-" : id);
      line.append(" tenant=").append(tenant.isEmpty() ? "-" : tenant);
      line.append(" method=").append(method).append(" route=").append(route);
      line.append(" status=").append(status).append(" prompt_tokens=").append(promptTokens);
      line.append(" cached_tokens=").append(cachedTokens);
      line.append(" completion_tokens=").append(completionTokens);
      line.append(" ttft_ms=").append(firstTokenNanos < 0 ? "-" : millis(firstTokenNanos));
      return line.append(" duration_ms=").append(millis(durationNanos)).toString();
    }

    private static String millis(long nanos) {
      return Long.toString((nanos + 500_000) / 1_000_000);
    }
  }

  /// An answer that has ended, with its tokens.
  ///
  /// @param submittedNanos when it was asked for, on [System#nanoTime]'s clock
  /// @param firstTokenNanos when its first token came
  /// @param endNanos when it ended
  /// @param salt what its prefixes are shared under; empty for all
  /// @param tokens prompt and answer
  /// @param promptTokens how many of them are the prompt's
  /// @param cachedTokens how many of those were not computed
  @SuppressWarnings("ArrayRecordComponent") // handed over, not kept by the server
  record Answered(
      long submittedNanos,
      long firstTokenNanos,
      long endNanos,
      String salt,
      int[] tokens,
      int promptTokens,
      int cachedTokens) {}
}
