package io.kvasir.cli.load;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// One request and what came back, on [System#nanoTime]'s clock. Written by the thread that sends
/// it, read by others after that has ended.
final class Exchange {
  private final long scheduledNanos;
  private long sentNanos;
  private long endNanos;
  private long[] tokenNanos = new long[16];
  private int events;
  private int promptTokens;
  private int cachedTokens;
  private int completionTokens = -1;
  private @Nullable String failure;

  /// @param scheduledNanos when it should leave: all latencies count from here, so that a server
  ///   that makes later requests wait cannot hide it
  Exchange(long scheduledNanos) {
    this.scheduledNanos = scheduledNanos;
    this.sentNanos = scheduledNanos;
    this.endNanos = scheduledNanos;
  }

  void sent(long nanos) {
    sentNanos = nanos;
    endNanos = nanos;
  }

  /// An event with a token.
  void token(long nanos) {
    if (events == tokenNanos.length) {
      tokenNanos = Arrays.copyOf(tokenNanos, 2 * events);
    }
    tokenNanos[events++] = nanos;
  }

  void usage(int prompt, int cached, int completion) {
    promptTokens = prompt;
    cachedTokens = cached;
    completionTokens = completion;
  }

  void ended(long nanos) {
    endNanos = nanos;
  }

  /// @param reason what failures of this kind are counted under
  void failed(String reason, long nanos) {
    failure = reason;
    endNanos = nanos;
  }

  boolean isOk() {
    return failure == null;
  }

  @Nullable String failure() {
    return failure;
  }

  long scheduledNanos() {
    return scheduledNanos;
  }

  long sentNanos() {
    return sentNanos;
  }

  long endNanos() {
    return endNanos;
  }

  /// Events that brought a token.
  int events() {
    return events;
  }

  /// When the event came.
  long tokenNanos(int event) {
    return tokenNanos[event];
  }

  int promptTokens() {
    return promptTokens;
  }

  int cachedTokens() {
    return cachedTokens;
  }

  /// Whether the server told what it counted.
  boolean hasUsage() {
    return completionTokens >= 0;
  }

  /// What the server counted, else the events that came.
  int completionTokens() {
    return completionTokens >= 0 ? completionTokens : events;
  }

  /// How long after its time it left: waiting for a free client, or for the load generator itself.
  long delayNanos() {
    return sentNanos - scheduledNanos;
  }

  /// Time to first token.
  long ttftNanos() {
    return events == 0 ? endNanos - scheduledNanos : tokenNanos[0] - scheduledNanos;
  }

  /// To the end of the stream.
  long e2eNanos() {
    return endNanos - scheduledNanos;
  }

  /// Mean time per token after the first; -1 for answers of one token.
  long tpotNanos() {
    int tokens = completionTokens();
    return events == 0 || tokens < 2 ? -1 : (tokenNanos[events - 1] - tokenNanos[0]) / (tokens - 1);
  }

  /// Adds the gaps between tokens.
  void addGaps(Samples gaps) {
    for (int i = 1; i < events; i++) {
      gaps.add(tokenNanos[i] - tokenNanos[i - 1]);
    }
  }
}
