package io.kvasir.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
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
  private @Nullable TokenScores @Nullable [] scores;
  private final List<TokenScores> promptScores = new ArrayList<>();
  private float @Nullable [] embedding;

  private @Nullable Waiting place;
  private final Consumer<TokenStream> onCancel;

  /// @param onCancel makes the engine notice that this stream was cancelled
  TokenStream(Consumer<TokenStream> onCancel) {
    this.onCancel = onCancel;
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

  /// Log-probabilities where the last [#advance] stopped, or null where none were asked for.
  public synchronized @Nullable TokenScores scores() {
    return scores == null || taken == 0 ? null : scores[taken - 1];
  }

  /// Log-probabilities of the prompt's tokens from the second on, as far as they were asked for and
  /// are computed; complete with the first token of the answer.
  public synchronized List<TokenScores> promptScores() {
    return List.copyOf(promptScores);
  }

  /// The unit vector that stands for the prompt, where that was asked for and the answer has ended.
  synchronized float @Nullable [] embedding() {
    return embedding;
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
    if (!cancelled) {
      cancelled = true;
      onCancel.accept(this);
    }
  }

  boolean isCancelled() {
    return cancelled;
  }

  synchronized void emit(int token, @Nullable TokenScores score) {
    if (written == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * written);
    }
    if (score != null) {
      @Nullable TokenScores[] all = scores == null ? new TokenScores[tokens.length] : scores;
      all = all.length < tokens.length ? Arrays.copyOf(all, tokens.length) : all;
      all[written] = score;
      scores = all;
    }
    tokens[written++] = token;
    notifyAll();
  }

  /// Where the request waits; null while it runs. The engine thread's.
  @Nullable Waiting place() {
    return place;
  }

  void place(@Nullable Waiting waiting) {
    place = waiting;
  }

  synchronized void emitPrompt(TokenScores score) {
    promptScores.add(score);
  }

  synchronized void emitEmbedding(float[] unit) {
    embedding = unit;
  }

  synchronized void finish(Outcome result) {
    if (outcome == null) {
      outcome = result;
      notifyAll();
    }
  }
}
