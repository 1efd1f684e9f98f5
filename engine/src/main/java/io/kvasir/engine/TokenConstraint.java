package io.kvasir.engine;

/// Restricts which tokens an answer may have, step by step: a grammar on its way through one
/// answer.
///
/// The engine asks [#allowed] before it chooses a token and tells the choice with [#accept]. Where
/// the answer [#mayEnd], the request's stop tokens are allowed too. Where nothing is allowed and
/// the answer may not end, the request fails, so a constraint must not lead into a dead end.
///
/// Used by the engine's thread alone.
public interface TokenConstraint {

  /// The tokens that may come next: bit `t % 64` of word `t / 64` for token `t`, `[ceil(vocabulary
  /// / 64)]`. Owned by the constraint and valid until the next [#accept]; stop tokens need not be
  /// in it.
  long[] allowed();

  /// Whether the answer may end here.
  boolean mayEnd();

  /// Goes on behind a token that was chosen among the allowed ones.
  void accept(int token);

  /// Makes the constraint of one answer. Immutable, for any thread: a compiled grammar.
  @FunctionalInterface
  interface Factory {
    TokenConstraint start();
  }
}
