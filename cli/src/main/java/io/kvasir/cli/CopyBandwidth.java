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
  private static final int ROUNDS = 7;

  private CopyBandwidth() {}

  /// Bytes read plus bytes written per second while each of `threads` threads copies 128 MiB, the
  /// median of seven rounds after one that does not count. Takes less than a second and 256 MiB a
  /// thread; 0 where there is no such memory.
  static double measure(int threads) throws InterruptedException {
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
                rates[Math.min(round[0]++, ROUNDS)] = 2e9 * threads * BYTES / (now - start[0]);
                start[0] = now;
              });
      for (int i = 0; i < threads; i++) {
        MemorySegment source = arena.allocate(BYTES, 64).fill((byte) i);
        MemorySegment target = arena.allocate(BYTES, 64).fill((byte) 1);
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
