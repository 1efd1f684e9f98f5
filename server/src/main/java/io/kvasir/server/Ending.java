package io.kvasir.server;

import io.kvasir.engine.Outcome;
import org.jspecify.annotations.Nullable;

/// How an answer ended.
///
/// @param stop the stop string that ended it, or null
/// @param outcome what it cost
record Ending(Reason reason, @Nullable String stop, Outcome outcome) {

  /// Why.
  enum Reason {
    /// It was complete.
    STOP,
    /// No more tokens were allowed.
    LENGTH,
    /// It calls tools.
    TOOLS
  }
}
