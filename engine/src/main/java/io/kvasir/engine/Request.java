package io.kvasir.engine;

import io.kvasir.kvcache.prune.PruneOptions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One thing to generate.
///
/// @param prompt token ids, at least one
/// @param maxTokens most tokens of the answer, at least one
/// @param sampling how tokens are chosen
/// @param stopTokens ids that end the answer; the id itself is not part of it
/// @param terms on whose behalf; a session's own salt counts instead of theirs where there is a
///   session
/// @param output what the answer must look like
/// @param session where the sequence's cache is kept afterwards and whose earlier tokens are
///   reused, or null to free the cache at the end
/// @param prune which of the prompt's tokens are dropped from the cache once it is computed, and of
///   the answer's
@SuppressWarnings("ArrayRecordComponent") // copied on the way in, never handed out for writing
public record Request(
    int[] prompt,
    int maxTokens,
    SamplingOptions sampling,
    Set<Integer> stopTokens,
    Terms terms,
    Output output,
    @Nullable Session session,
    PruneOptions prune) {

  public Request {
    prompt = prompt.clone();
    terms = session == null ? terms : terms.withSalt(session.salt());
    stopTokens = Set.copyOf(stopTokens);
    if (prompt.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; give at least one token");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException(
          "the number of tokens to generate must be at least 1, not " + maxTokens);
    }
    if (output.promptScores() && session != null) {
      throw new IllegalArgumentException("a session's prompt is not computed anew for its scores");
    }
  }

  public Request(
      int[] prompt,
      int maxTokens,
      SamplingOptions sampling,
      Set<Integer> stopTokens,
      Terms terms,
      Output output,
      @Nullable Session session) {
    this(prompt, maxTokens, sampling, stopTokens, terms, output, session, PruneOptions.NONE);
  }

  public Request(int[] prompt, int maxTokens, SamplingOptions sampling, Set<Integer> stopTokens) {
    this(prompt, maxTokens, sampling, stopTokens, null);
  }

  public Request(
      int[] prompt,
      int maxTokens,
      SamplingOptions sampling,
      Set<Integer> stopTokens,
      @Nullable Session session) {
    this(prompt, maxTokens, sampling, stopTokens, Terms.DEFAULT, Output.PLAIN, session);
  }

  /// The prompt's cache is shared only with requests of equal salt.
  public String salt() {
    return terms.salt();
  }

  /// The same request, sharing cached prefixes only with others of this salt.
  public Request withSalt(String value) {
    return withTerms(terms.withSalt(value));
  }

  public Request withTerms(Terms value) {
    return new Request(prompt, maxTokens, sampling, stopTokens, value, output, session, prune);
  }

  public Request withOutput(Output value) {
    return new Request(prompt, maxTokens, sampling, stopTokens, terms, value, session, prune);
  }

  /// The same request, pruned: see [io.kvasir.kvcache.prune.TokenPruners].
  public Request withPrune(PruneOptions value) {
    return new Request(prompt, maxTokens, sampling, stopTokens, terms, output, session, value);
  }

  /// The same request, whose answer has at least `value` tokens unless it meets the end of the
  /// context.
  public Request withMinTokens(int value) {
    return withOutput(
        new Output(value, output.topScores(), output.promptScores(), output.constraint()));
  }

  /// The same request, with log-probabilities: see [Output#topScores].
  public Request withScores(int top) {
    return withOutput(
        new Output(output.minTokens(), top, output.promptScores(), output.constraint()));
  }

  /// The same request, with log-probabilities of its prompt's tokens too.
  public Request withPromptScores() {
    return withOutput(
        new Output(output.minTokens(), Math.max(0, output.topScores()), true, output.constraint()));
  }

  public Request withConstraint(TokenConstraint.@Nullable Factory value) {
    return withOutput(
        new Output(output.minTokens(), output.topScores(), output.promptScores(), value));
  }
}
