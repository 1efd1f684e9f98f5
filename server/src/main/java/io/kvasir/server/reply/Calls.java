package io.kvasir.server.reply;

import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Where the readers of calls put what they find: numbers the calls and writes their parts.
final class Calls {
  private final Set<String> names;
  private final Supplier<String> ids;
  private @Nullable CallScanner scanner;
  private boolean begun;
  private int count;

  /// How far a call has been read.
  enum Progress {
    /// More is to come.
    OPEN,
    /// The call has ended.
    ENDED,
    /// This is no call; [#abandon] gives its text.
    NO_CALL
  }

  /// @param names the tools that an unmarked call may name
  /// @param ids makes the id of the next call
  Calls(Set<String> names, Supplier<String> ids) {
    this.names = names;
    this.ids = ids;
  }

  /// How many calls have ended.
  int count() {
    return count;
  }

  /// A call whose name stands before its arguments begins.
  void begin(String name, List<Part> out) {
    begun = true;
    out.add(new Part.CallBegun(count, ids.get(), name));
  }

  void arguments(String text, List<Part> out) {
    if (!text.isEmpty()) {
      out.add(new Part.CallArguments(count, text));
    }
  }

  void end() {
    begun = false;
    scanner = null;
    count++;
  }

  /// Reads a call that is one object.
  ///
  /// @param anyName whether it may name an unknown tool
  Progress scan(Held held, boolean anyName, List<Part> out) {
    CallScanner reading = scanner == null ? new CallScanner() : scanner;
    scanner = reading;
    boolean refused = false;
    while (!held.isEmpty() && !reading.isDone() && !reading.hasFailed() && !refused) {
      reading.accept(held.take(1).charAt(0));
      String name = reading.name();
      if (name != null && !begun) {
        refused = !anyName && !names.contains(name);
        if (!refused) {
          begin(name, out);
        }
      }
    }
    if (begun) {
      arguments(reading.takeArguments(), out);
    }
    if (begun && (reading.isDone() || reading.hasFailed())) {
      end();
      return Progress.ENDED;
    }
    return refused || reading.hasFailed() ? Progress.NO_CALL : Progress.OPEN;
  }

  /// Gives up the call that is being read. @return its text where no part was written
  String abandon() {
    String raw = scanner == null || begun ? "" : scanner.raw();
    if (begun) {
      end();
    }
    scanner = null;
    return raw;
  }
}
