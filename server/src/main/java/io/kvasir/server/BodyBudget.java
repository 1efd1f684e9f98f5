package io.kvasir.server;

/// The memory that bodies of requests take up together, from their first byte until they are
/// understood. Safe for use by several threads.
final class BodyBudget {
  private static final int RETRY_SECONDS = 1;

  private final long bytes;
  private long taken;

  BodyBudget(long bytes) {
    this.bytes = bytes;
  }

  /// Begins a body, of which nothing is there yet.
  Share open() {
    return new Share();
  }

  synchronized long taken() {
    return taken;
  }

  /// What one body takes up. Of one thread.
  final class Share implements AutoCloseable {
    private long own;

    /// Takes up more. Where there is not so much left all of this body is given back in the same
    /// moment, so of two bodies that do not fit together one is refused and never both.
    ///
    /// @throws ApiException with status 503 where there is not so much left
    void take(int count) {
      synchronized (BodyBudget.this) {
        if (taken + count <= bytes) {
          taken += count;
          own += count;
          return;
        }
        close();
      }
      throw ApiException.busy(
          503, "too many large requests are being read; try again later", RETRY_SECONDS);
    }

    /// Bytes taken up.
    long taken() {
      return own;
    }

    @Override
    public void close() {
      synchronized (BodyBudget.this) {
        taken -= own;
        own = 0;
      }
    }
  }
}
