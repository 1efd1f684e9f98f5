package io.kvasir.server;

/// Lets through so many a minute: a bucket that holds a minute's worth and fills evenly, so that
/// what was saved up may come at once. Safe for use by several threads.
final class TokenBucket {
  private final int capacity;
  private final double perNano;
  private double level;
  private long lastNanos;

  /// @param perMinute at least 1
  TokenBucket(int perMinute, long nowNanos) {
    this.capacity = perMinute;
    this.perNano = perMinute / 60e9;
    this.level = perMinute;
    this.lastNanos = nowNanos;
  }

  /// How a request fared.
  ///
  /// @param left how many more may come at once
  /// @param waitNanos until the next one may come; 0 for this one
  /// @param fullNanos until the bucket is full again
  record Taken(boolean allowed, int left, long waitNanos, long fullNanos) {}

  synchronized Taken take(long nowNanos) {
    level = Math.min(capacity, level + Math.max(0, nowNanos - lastNanos) * perNano);
    lastNanos = nowNanos;
    boolean allowed = level >= 1;
    level -= allowed ? 1 : 0;
    long wait = allowed ? 0 : (long) Math.ceil((1 - level) / perNano);
    long full = (long) Math.ceil((capacity - level) / perNano);
    return new Taken(allowed, (int) level, wait, full);
  }
}
