package io.kvasir.server;

import java.util.concurrent.atomic.AtomicLong;

/// The memory that bodies of requests take up together, from their first byte until they are
/// understood. Safe for use by several threads.
final class BodyBudget {
  private static final int RETRY_SECONDS = 1;

  private final long bytes;
  private final AtomicLong taken = new AtomicLong();

  BodyBudget(long bytes) {
    this.bytes = bytes;
  }

  /// @throws ApiException with status 503 where there is not so much left
  void take(int count) {
    if (taken.addAndGet(count) > bytes) {
      taken.addAndGet(-count);
      throw ApiException.busy(
          503, "too many large requests are being read; try again later", RETRY_SECONDS);
    }
  }

  void giveBack(int count) {
    taken.addAndGet(-count);
  }

  long taken() {
    return taken.get();
  }
}
