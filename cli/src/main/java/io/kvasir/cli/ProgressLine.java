package io.kvasir.cli;

import java.io.PrintStream;

/// One line on a terminal that tells how far long work is; nothing where standard error is none.
///
/// Safe for use by several threads.
final class ProgressLine implements AutoCloseable {
  private static final String CLEAR = "\r\u001b[K";
  private static final int WIDTH = 78;

  private final PrintStream err;
  private final boolean shown;
  private boolean dirty;

  ProgressLine(Surroundings surroundings) {
    this.err = surroundings.err();
    this.shown = surroundings.errorIsTerminal();
  }

  /// Replaces the line.
  synchronized void show(String text) {
    if (shown) {
      err.print(CLEAR + (text.length() > WIDTH ? text.substring(0, WIDTH) : text));
      err.flush();
      dirty = true;
    }
  }

  /// Ends the line's life and writes a line that stays.
  synchronized void keep(String text) {
    if (shown) {
      clear();
      err.println(text);
    }
  }

  /// Takes the line away.
  synchronized void clear() {
    if (dirty) {
      err.print(CLEAR);
      err.flush();
      dirty = false;
    }
  }

  @Override
  public void close() {
    clear();
  }
}
