package io.kvasir.engine;

import org.jspecify.annotations.Nullable;

/// What an answer must look like and what is told about it beside its tokens.
///
/// @param minTokens stop tokens are not chosen before the answer has this many tokens
/// @param topScores log-probabilities per token: -1 for none, 0 for the chosen token's, else the
///   chosen one's and those of this many likeliest tokens
/// @param promptScores whether the prompt's tokens get log-probabilities too; such a request
///   computes its whole prompt, since cached positions have no scores
/// @param constraint which tokens the answer may have, or null for all
public record Output(
    int minTokens,
    int topScores,
    boolean promptScores,
    TokenConstraint.@Nullable Factory constraint) {

  public static final Output PLAIN = new Output(0, -1, false, null);

  /// Most likeliest tokens that are told per position.
  public static final int MOST_SCORES = 20;

  public Output {
    if (minTokens < 0) {
      throw new IllegalArgumentException("at least " + minTokens + " tokens");
    }
    if (topScores < -1 || topScores > MOST_SCORES) {
      throw new IllegalArgumentException(
          "log-probabilities of %d tokens asked for; 0 to %d are possible"
              .formatted(topScores, MOST_SCORES));
    }
    if (promptScores && topScores < 0) {
      throw new IllegalArgumentException("scores of the prompt without scores of tokens");
    }
  }
}
