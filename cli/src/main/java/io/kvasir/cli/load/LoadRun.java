package io.kvasir.cli.load;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/// Sends the requests of a plan: each at its time, or as soon as one of so many clients is free.
///
/// A request of an open loop counts from its planned time, whether or not it could leave then. Were
/// it to count from when it left, a server that stalls would be asked less just then and look
/// better than it is ("coordinated omission", Gil Tene).
final class LoadRun {
  private final CompletionCall call;
  private final LoadPlan plan;
  private final Semaphore clients;
  private final IntConsumer progress;
  private final AtomicInteger ended = new AtomicInteger();
  private final long longestNanos;

  /// @param clients most requests at once
  /// @param longestNanos no request begins later than this after the first
  /// @param progress told how many requests have ended; by several threads
  LoadRun(
      CompletionCall call, LoadPlan plan, int clients, long longestNanos, IntConsumer progress) {
    this.call = call;
    this.plan = plan;
    this.clients = new Semaphore(clients, true);
    this.longestNanos = longestNanos;
    this.progress = progress;
  }

  /// Sends all, and returns when all have ended. The exchanges stand in the order of the plan.
  List<Exchange> run() throws InterruptedException {
    List<Exchange> exchanges = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    long start = System.nanoTime();
    try {
      for (int i = 0; i < plan.requestCount(); i++) {
        boolean free = plan.atNanos(i) == LoadPlan.WHEN_FREE;
        if (free) {
          clients.acquire();
        } else {
          sleepUntil(start + plan.atNanos(i));
        }
        if (System.nanoTime() - start > longestNanos) {
          break;
        }
        exchanges.add(new Exchange(free ? System.nanoTime() : start + plan.atNanos(i)));
        int request = i;
        Exchange exchange = exchanges.getLast();
        threads.add(Thread.startVirtualThread(() -> send(request, exchange, free)));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    } finally {
      threads.forEach(Thread::interrupt);
    }
    return exchanges;
  }

  private void send(int request, Exchange exchange, boolean admitted) {
    if (!admitted) {
      clients.acquireUninterruptibly();
    }
    try {
      call.run(exchange, plan.prompt(request), plan.outputTokens(request));
    } finally {
      clients.release();
      progress.accept(ended.incrementAndGet());
    }
  }

  private static void sleepUntil(long nanos) throws InterruptedException {
    for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
      LockSupport.parkNanos(left);
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
    }
  }
}
