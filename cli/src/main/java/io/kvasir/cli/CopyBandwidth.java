package io.kvasir.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CyclicBarrier;

/// What the machine's memory gives to a plain copy: the measure that decoding is set beside.
final class CopyBandwidth {
  private static final long BYTES = 128L << 20;
  private static final long ALL_BYTES = 1L << 30;
  private static final long LEAST_BYTES = 16L << 20;
  private static final int ROUNDS = 7;

  private CopyBandwidth() {}

  /// Bytes read plus bytes written per second while each of `threads` threads copies 128 MiB, or
  /// less where that would be more than 1 GiB in all: the median of seven rounds after one that
  /// does not count. Takes less than a second and twice that memory; 0 where there is none.
  static double measure(int threads) throws InterruptedException {
    long bytes = Math.clamp(ALL_BYTES / threads, LEAST_BYTES, BYTES);
    double[] rates = new double[ROUNDS + 1];
    try (Arena arena = Arena.ofShared()) {
      List<Thread> copiers = new ArrayList<>();
      long[] start = {System.nanoTime()};
      int[] round = {0};
      CyclicBarrier barrier =
          new CyclicBarrier(
              threads,
              () -> {
                long now = System.nanoTime();
                rates[Math.min(round[0]++, ROUNDS)] = 2e9 * threads * bytes / (now - start[0]);
                start[0] = now;
              });
      for (int i = 0; i < threads; i++) {
        MemorySegment source = arena.allocate(bytes, 64).fill((byte) i);
        MemorySegment target = arena.allocate(bytes, 64).fill((byte) 1);
        copiers.add(Thread.ofPlatform().daemon().start(() -> copy(source, target, barrier)));
      }
      for (Thread copier : copiers) {
        copier.join();
      }
    } catch (OutOfMemoryError e) {
      return 0;
    }
    Arrays.sort(rates, 1, ROUNDS + 1);
    return rates[1 + ROUNDS / 2];
  }

  private static void copy(MemorySegment source, MemorySegment target, CyclicBarrier barrier) {
    try {
      for (int i = 0; i <= ROUNDS; i++) {
        target.copyFrom(source);
        barrier.await();
      }
    } catch (java.util.concurrent.BrokenBarrierException e) {
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
