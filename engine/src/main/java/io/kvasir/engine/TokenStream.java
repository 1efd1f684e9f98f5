package io.kvasir.engine;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The tokens of one answer, handed from the engine's thread to the caller's.
///
/// One consumer calls [#advance] until it returns false, then [#outcome]. The engine never waits
/// for a consumer: an answer is at most `maxTokens` ids, which are kept until they are taken.
///
/// ```java
/// while (stream.advance()) {
///   use(stream.token());
/// }
/// Outcome outcome = stream.outcome();
/// ```
public final class TokenStream {
  private int[] tokens = new int[32];
  private int written;
  private int taken;
  private int current;
  private volatile boolean cancelled;
  private @Nullable Outcome outcome;

  private final Runnable wake;

  /// @param wake makes the engine notice that this stream was cancelled
  TokenStream(Runnable wake) {
    this.wake = wake;
  }

  /// Waits for the next token; false when the answer has ended.
  ///
  /// @throws InterruptedException where the waiting thread is interrupted; the request goes on
  public synchronized boolean advance() throws InterruptedException {
    while (taken == written && outcome == null) {
      wait();
    }
    if (taken == written) {
      return false;
    }
    current = tokens[taken++];
    return true;
  }

  /// The token that the last [#advance] found.
  public synchronized int token() {
    return current;
  }

  /// How the answer ended.
  ///
  /// @throws IllegalStateException before [#advance] has returned false
  public synchronized Outcome outcome() {
    if (outcome == null) {
      throw new IllegalStateException("the answer has not ended");
    }
    return outcome;
  }

  /// Asks the engine to stop; the answer ends with [FinishReason#CANCELLED] at the next step,
  /// unless it has ended before. May be called from any thread, any number of times.
  public void cancel() {
    cancelled = true;
    wake.run();
  }

  boolean isCancelled() {
    return cancelled;
  }

  synchronized void emit(int token) {
    if (written == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * written);
    }
    tokens[written++] = token;
    notifyAll();
  }

  synchronized void finish(Outcome result) {
    if (outcome == null) {
      outcome = result;
      notifyAll();
    }
  }
}
