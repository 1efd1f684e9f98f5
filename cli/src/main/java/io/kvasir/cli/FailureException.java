package io.kvasir.cli;

/// A command cannot do what it was rightly asked; the message is one sentence that names the value
/// and says what to do. Ends the program with exit code 1.
final class FailureException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  FailureException(String message) {
    super(message);
  }

  FailureException(String message, Throwable cause) {
    super(message, cause);
  }
}
