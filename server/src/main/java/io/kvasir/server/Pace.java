package io.kvasir.server;

import io.kvasir.engine.Outcome;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;

/// The latest times to the first token and between tokens, for percentiles of what is happening
/// now; the histograms of [Metrics] tell what happened since the start. Any thread may record.
final class Pace {
  private static final int KEPT = 512;

  private final ReentrantLock lock = new ReentrantLock();
  private final LongAdder tokens = new LongAdder();
  private final Samples first = new Samples();
  private final Samples between = new Samples();

  private final Histogram gaps;

  /// @param gaps where the times between tokens of streams are counted as well
  Pace(Histogram gaps) {
    this.gaps = gaps;
  }

  /// The median and what 5 and 1 in 100 exceed, in seconds; all 0 where nothing was recorded.
  record Percentiles(double p50, double p95, double p99) {}

  private static final class Samples {
    private final double[] values = new double[KEPT];
    private long count;

    void add(double seconds) {
      values[(int) (count++ % KEPT)] = seconds;
    }

    Percentiles percentiles() {
      int held = (int) Math.min(count, KEPT);
      if (held == 0) {
        return new Percentiles(0, 0, 0);
      }
      double[] sorted = Arrays.copyOf(values, held);
      Arrays.sort(sorted);
      return new Percentiles(at(sorted, 0.50), at(sorted, 0.95), at(sorted, 0.99));
    }

    /// The nearest rank.
    private static double at(double[] sorted, double share) {
      return sorted[Math.max(0, (int) Math.ceil(share * sorted.length) - 1)];
    }
  }

  /// Counts an answer that has ended: its first token, and what the others took on average.
  void answered(Outcome outcome) {
    int completion = outcome.completionTokens();
    tokens.add(completion);
    record(first, (outcome.queueNanos() + outcome.prefillNanos()) / 1e9);
    if (completion > 1) {
      record(between, outcome.decodeNanos() / 1e9 / (completion - 1));
    }
  }

  /// The times of one answer's tokens as they come.
  ///
  /// @param startNanos when its request was taken, of [System#nanoTime]
  Beat beat(long startNanos) {
    return new Beat(startNanos);
  }

  /// Used by the thread that reads the answer.
  final class Beat {
    private long lastNanos;
    private boolean begun;

    private Beat(long startNanos) {
      this.lastNanos = startNanos;
    }

    void token(long nanos) {
      tokens.increment();
      double seconds = (nanos - lastNanos) / 1e9;
      record(begun ? between : first, seconds);
      if (begun) {
        gaps.record(seconds);
      }
      begun = true;
      lastNanos = nanos;
    }
  }

  private void record(Samples samples, double seconds) {
    lock.lock();
    try {
      samples.add(seconds);
    } finally {
      lock.unlock();
    }
  }

  /// Tokens generated so far.
  long tokens() {
    return tokens.sum();
  }

  Percentiles firstToken() {
    return percentiles(first);
  }

  Percentiles nextToken() {
    return percentiles(between);
  }

  private Percentiles percentiles(Samples samples) {
    lock.lock();
    try {
      return samples.percentiles();
    } finally {
      lock.unlock();
    }
  }
}
