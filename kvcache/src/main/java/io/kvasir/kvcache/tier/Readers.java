package io.kvasir.kvcache.tier;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;

/// A few threads that help callers to read several blocks at a time.
final class Readers implements AutoCloseable {
  private final int threads;
  private final ExecutorService helpers;

  /// @param threads how many read for one caller, the caller included
  /// @param name of the threads, which end with the process or with [#close]
  Readers(int threads, String name) {
    this.threads = threads;
    this.helpers =
        Executors.newFixedThreadPool(
            threads - 1, Thread.ofPlatform().daemon().name(name + "-", 0).factory());
  }

  /// Does `0 .. count - 1`, in ascending order and several at a time, until one gives `false`.
  /// Returns when nothing is under way any more.
  ///
  /// @return the first that gave `false`, or `count`
  int run(int count, IntPredicate read) {
    AtomicInteger next = new AtomicInteger();
    AtomicInteger end = new AtomicInteger(count);
    Runnable reading =
        () -> {
          int i = next.getAndIncrement();
          while (i < end.get()) {
            if (!read.test(i)) {
              end.accumulateAndGet(i, Math::min);
            }
            i = next.getAndIncrement();
          }
        };
    List<CompletableFuture<Void>> helping = new ArrayList<>();
    for (int helper = Math.min(threads - 1, count / 2); helper > 0; helper--) {
      helping.add(CompletableFuture.runAsync(reading, helpers));
    }
    reading.run();
    helping.forEach(CompletableFuture::join);
    return end.get();
  }

  @Override
  public void close() {
    helpers.shutdown();
  }
}
