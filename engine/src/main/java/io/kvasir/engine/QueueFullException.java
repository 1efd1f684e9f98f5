package io.kvasir.engine;

/// Too many requests wait; the caller may try again later.
public final class QueueFullException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int retryAfterSeconds;

  QueueFullException(int waiting, int retryAfterSeconds) {
    super("%d requests are waiting, which is the limit; try again later".formatted(waiting));
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /// An estimate of when there will be room.
  public int retryAfterSeconds() {
    return retryAfterSeconds;
  }
}
