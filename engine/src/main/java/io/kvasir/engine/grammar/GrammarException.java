package io.kvasir.engine.grammar;

/// A grammar that is malformed or too large to compile. The message is one sentence.
public class GrammarException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public GrammarException(String message) {
    super(message);
  }
}
