package io.kvasir.engine;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What a step found for each sequence of its batch. Reused from step to step.
final class StepResult {
  private int[] tokens = new int[8];
  private @Nullable TokenScores[] scores = new TokenScores[8];
  private @Nullable RuntimeException[] failures = new RuntimeException[8];

  void clear(int size) {
    if (tokens.length < size) {
      int room = Math.max(size, 2 * tokens.length);
      tokens = new int[room];
      scores = new TokenScores[room];
      failures = new RuntimeException[room];
    }
    Arrays.fill(scores, 0, size, null);
    Arrays.fill(failures, 0, size, null);
  }

  /// The next token of the batch's sequence `index`; meaningful where the batch completes it.
  int token(int index) {
    return tokens[index];
  }

  @Nullable TokenScores scores(int index) {
    return scores[index];
  }

  /// Why no token could be chosen for the sequence, or null.
  @Nullable RuntimeException failure(int index) {
    return failures[index];
  }

  void chose(int index, int token, @Nullable TokenScores score) {
    tokens[index] = token;
    scores[index] = score;
  }

  void failed(int index, RuntimeException failure) {
    failures[index] = failure;
  }
}
