package io.kvasir.server;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Counts requests that generate, lets in only so many at once, and none once the server closes.
final class Gate {
  private static final int RETRY_SECONDS = 1;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition left = lock.newCondition();
  private final int most;
  private int inside;
  private boolean shut;

  Gate(int most) {
    this.most = most;
  }

  /// @throws ApiException with status 503 once [#shut] was called, 429 where all places are taken
  void enter() {
    lock.lock();
    try {
      if (shut) {
        throw new ApiException(503, "the server is closing; try again later");
      }
      if (inside >= most) {
        throw ApiException.busy(
            429,
            "%d requests are being answered, which is the limit; try again later".formatted(most),
            RETRY_SECONDS);
      }
      inside++;
    } finally {
      lock.unlock();
    }
  }

  void leave() {
    lock.lock();
    try {
      inside--;
      left.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void shut() {
    lock.lock();
    try {
      shut = true;
    } finally {
      lock.unlock();
    }
  }

  boolean isShut() {
    lock.lock();
    try {
      return shut;
    } finally {
      lock.unlock();
    }
  }

  /// Waits until all have left. @return false where some are still inside
  boolean awaitEmpty(Duration limit) throws InterruptedException {
    long nanos = limit.toNanos();
    lock.lock();
    try {
      while (inside > 0 && nanos > 0) {
        nanos = left.awaitNanos(nanos);
      }
      return inside == 0;
    } finally {
      lock.unlock();
    }
  }

  /// As [#awaitEmpty], but an interrupt only ends the wait.
  boolean awaitEmptyQuietly(long limit, TimeUnit unit) {
    try {
      return awaitEmpty(Duration.of(limit, unit.toChronoUnit()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
