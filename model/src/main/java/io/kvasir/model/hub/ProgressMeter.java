package io.kvasir.model.hub;

import io.kvasir.model.hub.Progress.Phase;

/// Turns the bytes of one file into a bounded number of events. Thread-safe.
final class ProgressMeter {
  private static final long EVENT_NANOS = 100_000_000L;
  private static final double SMOOTHING = 0.3;

  private final ProgressListener listener;
  private final RemoteFile file;
  private Phase phase = Phase.LISTING;
  private long bytes;
  private long lastNanos;
  private long lastBytes;
  private double rate;

  ProgressMeter(ProgressListener listener, RemoteFile file) {
    this.listener = listener;
    this.file = file;
  }

  /// Announces `next` with `bytesSoFar` of the file.
  synchronized void start(Phase next, long bytesSoFar) {
    phase = next;
    bytes = bytesSoFar;
    lastBytes = bytesSoFar;
    lastNanos = System.nanoTime();
    rate = 0;
    send(next, "");
  }

  /// Counts `count` more bytes; negative where bytes were thrown away.
  synchronized void add(long count) {
    bytes += count;
    long now = System.nanoTime();
    long elapsed = now - lastNanos;
    if (elapsed < EVENT_NANOS) {
      return;
    }
    double current = Math.max(0, bytes - lastBytes) * 1e9 / elapsed;
    rate = rate == 0 ? current : SMOOTHING * current + (1 - SMOOTHING) * rate;
    lastNanos = now;
    lastBytes = bytes;
    send(phase, "");
  }

  /// Announces a pause; the phase goes on afterwards.
  synchronized void retrying(String why) {
    send(Phase.RETRYING, why);
  }

  private void send(Phase what, String note) {
    listener.onProgress(new Progress(what, file.path(), bytes, file.bytes(), rate, note));
  }
}
