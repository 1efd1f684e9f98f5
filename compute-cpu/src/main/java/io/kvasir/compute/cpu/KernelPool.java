package io.kvasir.compute.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A fixed set of threads that runs the parts of a [Region] together with the calling thread.
///
/// Parts are claimed one after the other, so a thread that the operating system takes away delays
/// the region by one part at most. What a part computes must not depend on who runs it. Workers
/// that find nothing to do spin for a short while, because a decode step is some hundred tiny
/// regions in a row, and then park, so that an idle backend costs nothing.
///
/// One thread at a time calls [#run]; regions do not nest. The claim word holds the generation, the
/// number of parts and the next part together, so that a worker that was delayed into a later
/// generation, or sees the region of one and the count of another, fails its compare-and-set.
final class KernelPool implements AutoCloseable {
  private static final long SPIN_NANOS = 60_000;
  private static final int SPINS_PER_CLOCK = 64;
  private static final int SPINS_BEFORE_PARK = 8192;
  private static final long SHORT_PARK_NANOS = 20_000;

  private static final int COUNT_SHIFT = 20;
  private static final int GENERATION_SHIFT = 40;
  private static final int MAX_PARTS = (1 << COUNT_SHIFT) - 1;

  /// Work that falls into parts `0 .. n - 1`, each independent of the others.
  interface Region {
    /// @param worker number of the running thread, for scratch memory; 0 is the caller
    void run(int part, int worker);
  }

  private static final Region NOTHING = (part, worker) -> {};

  private final Worker[] workers;
  private final AtomicLong claim = new AtomicLong();
  private final AtomicInteger done = new AtomicInteger();
  private volatile Region region = NOTHING;
  private volatile boolean closed;
  private volatile @Nullable Throwable failure;
  private final long spinNanos;
  private long generation;

  KernelPool(int threads) {
    this(threads, true);
  }

  /// @param spins whether idle workers wait for a short while before they park
  KernelPool(int threads, boolean spins) {
    spinNanos = spins ? SPIN_NANOS : 0;
    workers = new Worker[threads - 1];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i + 1);
      workers[i].start();
    }
  }

  /// Threads that compute, the caller's included.
  int threads() {
    return workers.length + 1;
  }

  /// Runs all parts and returns when they are done.
  ///
  /// @throws RuntimeException or [Error] that a part threw; the other parts have run or been tried
  void run(Region work, int partCount) {
    if (workers.length == 0 || partCount <= 1) {
      for (int part = 0; part < partCount; part++) {
        work.run(part, 0);
      }
      return;
    }
    if (closed) {
      throw new IllegalStateException("the kernel pool is closed");
    }
    if (partCount > MAX_PARTS) {
      throw new IllegalArgumentException("a region of " + partCount + " parts");
    }
    region = work;
    done.set(0);
    claim.set(++generation << GENERATION_SHIFT | (long) partCount << COUNT_SHIFT);
    for (Worker worker : workers) {
      worker.wake();
    }
    takeParts(0);
    awaitOthers(partCount);
    rethrow();
  }

  private void takeParts(int worker) {
    while (true) {
      long word = claim.get();
      Region work = region;
      int part = (int) word & MAX_PARTS;
      if (part >= ((int) (word >>> COUNT_SHIFT) & MAX_PARTS)) {
        return;
      }
      if (!claim.compareAndSet(word, word + 1)) {
        continue;
      }
      try {
        work.run(part, worker);
      } catch (RuntimeException | Error e) {
        failure = e;
      } finally {
        done.incrementAndGet();
      }
    }
  }

  private void awaitOthers(int partCount) {
    int spins = 0;
    while (done.get() < partCount) {
      if (++spins < SPINS_BEFORE_PARK) {
        Thread.onSpinWait();
      } else {
        // The thread that has the last part was taken away: leave it the processor.
        LockSupport.parkNanos(this, SHORT_PARK_NANOS);
      }
    }
  }

  private void rethrow() {
    Throwable thrown = failure;
    if (thrown != null) {
      failure = null;
      if (thrown instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) thrown;
    }
  }

  /// Ends the threads.
  @Override
  public void close() {
    closed = true;
    for (Worker worker : workers) {
      LockSupport.unpark(worker);
    }
  }

  private final class Worker extends Thread {
    private final int number;
    private volatile boolean parked;

    Worker(int number) {
      super("kvasir-kernel-" + number);
      this.number = number;
      setDaemon(true);
    }

    void wake() {
      if (parked) {
        LockSupport.unpark(this);
      }
    }

    @Override
    public void run() {
      long seen = 0;
      while (!closed) {
        long current = claim.get() >>> GENERATION_SHIFT;
        if (current == seen) {
          awaitChange(seen);
        } else {
          seen = current;
          takeParts(number);
        }
      }
    }

    private void awaitChange(long seen) {
      long deadline = System.nanoTime() + spinNanos;
      do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
          if (claim.get() >>> GENERATION_SHIFT != seen || closed) {
            return;
          }
          Thread.onSpinWait();
        }
      } while (System.nanoTime() - deadline < 0);
      parked = true;
      while (claim.get() >>> GENERATION_SHIFT == seen && !closed) {
        LockSupport.park(KernelPool.this);
      }
      parked = false;
    }
  }
}
