package io.kvasir.model.tokenizer.regex;

/// A pattern that is malformed or uses something that cannot be matched in linear time, such as a
/// back-reference.
public final class RegexSyntaxException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RegexSyntaxException(String message) {
    super(message);
  }
}
