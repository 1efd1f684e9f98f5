package io.kvasir.cli.eval;

/// A measurement that could not be made, told in one sentence.
public final class EvalException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public EvalException(String message, Throwable cause) {
    super(message, cause);
  }
}
