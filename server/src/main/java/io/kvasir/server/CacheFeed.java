package io.kvasir.server;

import io.kvasir.engine.Engine;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Takes a [CacheFrame] at most ten times a second while somebody watches, one for all watchers. A
/// watcher that is slow misses frames and gets the newest one next.
final class CacheFeed implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(CacheFeed.class.getName());
  private static final long PERIOD_NANOS = 100_000_000;

  private final Engine engine;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private int watchers;
  private long taken;
  private boolean closed;
  private @Nullable CacheFrame latest;
  private @Nullable Thread taker;

  CacheFeed(Engine engine) {
    this.engine = engine;
  }

  /// One more watcher, until [#leave].
  void join() {
    lock.lock();
    try {
      watchers++;
      if (taker == null && !closed) {
        taker = Thread.ofVirtual().name("kvasir-cache-feed").start(this::takeWhileWatched);
      }
    } finally {
      lock.unlock();
    }
  }

  void leave() {
    lock.lock();
    try {
      watchers--;
    } finally {
      lock.unlock();
    }
  }

  /// Waits for a frame later than the one numbered `after`; null where none came within `most`.
  @Nullable CacheFrame next(long after, Duration most) throws InterruptedException {
    long nanos = most.toNanos();
    lock.lock();
    try {
      while (!closed && (latest == null || latest.sequence() <= after)) {
        if (nanos <= 0) {
          return null;
        }
        nanos = changed.awaitNanos(nanos);
      }
      return closed ? null : latest;
    } finally {
      lock.unlock();
    }
  }

  /// A frame that is not older than the feed's period.
  CacheFrame now() {
    lock.lock();
    try {
      CacheFrame known = latest;
      if (known != null && System.nanoTime() - known.nanos() < PERIOD_NANOS) {
        return known;
      }
    } finally {
      lock.unlock();
    }
    return take();
  }

  boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  private CacheFrame take() {
    CacheFrame frame = CacheFrame.take(0, engine);
    lock.lock();
    try {
      frame = new CacheFrame(++taken, frame.nanos(), frame.view(), frame.engine());
      latest = frame;
      changed.signalAll();
      return frame;
    } finally {
      lock.unlock();
    }
  }

  private void takeWhileWatched() {
    try {
      while (isWatched()) {
        long start = System.nanoTime();
        take();
        long left = PERIOD_NANOS - (System.nanoTime() - start);
        Thread.sleep(Duration.ofNanos(Math.max(1_000_000, left)));
      }
    } catch (InterruptedException | RuntimeException e) {
      LOG.log(System.Logger.Level.DEBUG, "event=feed_ended reason=" + e);
      close();
    }
  }

  /// Also ends the taker where nobody watches, so that the next watcher starts another.
  private boolean isWatched() {
    lock.lock();
    try {
      boolean watched = watchers > 0 && !closed;
      if (!watched) {
        taker = null;
      }
      return watched;
    } finally {
      lock.unlock();
    }
  }

  /// Sends all watchers away.
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
