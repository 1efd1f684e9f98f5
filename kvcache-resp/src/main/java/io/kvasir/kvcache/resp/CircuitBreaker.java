package io.kvasir.kvcache.resp;

import java.util.function.LongSupplier;

/// Leaves a store alone that does not answer: after some failures in a row nothing is asked for a
/// while, then one caller asks, and if that fails too the while doubles.
///
/// Any thread may call.
final class CircuitBreaker {
  private final int failures;
  private final long firstNanos;
  private final long longestNanos;
  private final LongSupplier clock;
  private int inARow;
  private long backOff;
  private long closedUntil;
  private boolean probing;

  /// @param failures how many in a row open it
  /// @param firstNanos how long nothing is asked at first
  /// @param longestNanos and how long at most
  /// @param clock nanoseconds of arbitrary origin
  CircuitBreaker(int failures, long firstNanos, long longestNanos, LongSupplier clock) {
    this.failures = failures;
    this.firstNanos = firstNanos;
    this.longestNanos = longestNanos;
    this.clock = clock;
  }

  /// Whether the store may be asked. Who gets `true` must say how it went.
  synchronized boolean allows() {
    if (inARow < failures) {
      return true;
    }
    if (probing || clock.getAsLong() - closedUntil < 0) {
      return false;
    }
    probing = true;
    return true;
  }

  synchronized void succeeded() {
    inARow = 0;
    backOff = 0;
    probing = false;
  }

  synchronized void failed() {
    inARow++;
    probing = false;
    if (inARow >= failures) {
      backOff = backOff == 0 ? firstNanos : Math.min(2 * backOff, longestNanos);
      closedUntil = clock.getAsLong() + backOff;
    }
  }

  /// Whether nothing is asked at present.
  synchronized boolean isOpen() {
    return inARow >= failures;
  }
}
