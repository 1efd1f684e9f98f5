package io.kvasir.server;

import org.jspecify.annotations.Nullable;

/// Where a failure happened, without its message, which may repeat what a client sent.
final class Wordless extends Throwable {
  private static final long serialVersionUID = 1L;
  private static final int MOST_CAUSES = 5;

  private Wordless(String type, @Nullable Throwable cause) {
    super(type, cause);
  }

  static Wordless of(Throwable failure) {
    return of(failure, MOST_CAUSES);
  }

  private static Wordless of(Throwable failure, int causes) {
    Throwable cause = causes == 0 ? null : failure.getCause();
    Wordless wordless =
        new Wordless(failure.getClass().getName(), cause == null ? null : of(cause, causes - 1));
    wordless.setStackTrace(failure.getStackTrace());
    return wordless;
  }
}
