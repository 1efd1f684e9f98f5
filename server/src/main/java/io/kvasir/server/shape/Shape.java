package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;

/// What answers must look like. Immutable; any number of answers may use one at once.
public interface Shape {

  /// The constraint for answers of at most `maxTokens` tokens, which are led to an end before that
  /// where there is one.
  TokenConstraint.Factory within(int maxTokens);

  /// A number of tokens that is enough for some answer.
  long enough();
}
