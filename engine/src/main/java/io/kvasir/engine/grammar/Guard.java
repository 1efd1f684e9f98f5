package io.kvasir.engine.grammar;

/// A condition on a rule's counter, which an edge may carry. Immutable.
interface Guard {
  /// The counter behind the edge, or -1 where the edge is closed.
  ///
  /// @param count the counter before the edge, at least 0
  long pass(long count);
}
