package io.kvasir.cli;

/// The command line asks for something that makes no sense; the message names the value and says
/// what would. Ends the program with exit code 2.
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UsageException(String message) {
    super(message);
  }
}
