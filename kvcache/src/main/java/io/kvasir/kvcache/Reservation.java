package io.kvasir.kvcache;

/// The answer to a request for room. Pressure is an answer, never an exception.
public sealed interface Reservation {

  /// The room is there.
  enum Granted implements Reservation {
    GRANTED
  }

  /// Too few blocks are free; nothing was changed.
  ///
  /// @param wantedBlocks blocks that the request needs beyond those it holds
  /// @param freeBlocks blocks that are free
  record Insufficient(int wantedBlocks, int freeBlocks) implements Reservation {}
}
