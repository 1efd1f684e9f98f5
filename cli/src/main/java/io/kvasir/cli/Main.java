package io.kvasir.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import picocli.CommandLine;

/// The entry point of the program: exit code 0 for success, 2 for wrong usage, 1 for failure.
///
/// A failure is one sentence on standard error. The stack trace appears only with `-v`.
public final class Main {
  static final int OK = 0;
  static final int FAILED = 1;
  static final int WRONG_USAGE = 2;

  private Main() {}

  public static void main(String[] args) {
    System.exit(run(Surroundings.ofProcess(), args));
  }

  /// Runs one command and returns its exit code.
  static int run(Surroundings surroundings, String... args) {
    CommandLine line = KvasirCommand.commandLine(surroundings);
    try {
      return line.execute(args);
    } catch (Throwable failure) { // The outermost frame: whatever it is, the user reads a sentence.
      return report(failure, surroundings, CommonOptions.verbose(args));
    } finally {
      surroundings.out().flush();
      surroundings.err().flush();
    }
  }

  /// Prints what went wrong and returns the exit code.
  static int report(Throwable failure, Surroundings surroundings, boolean verbose) {
    surroundings.out().flush();
    surroundings.err().println("kvasir: " + Sentence.of(failure));
    if (verbose) {
      failure.printStackTrace(surroundings.err());
    }
    return failure instanceof UsageException ? WRONG_USAGE : FAILED;
  }

  /// The cause of a wrapped input or output error, which says more than the wrapping.
  static Throwable unwrap(Throwable failure) {
    if (failure instanceof UncheckedIOException unchecked) {
      IOException cause = unchecked.getCause();
      return cause == null ? unchecked : cause;
    }
    return failure;
  }
}
