package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class KernelPoolTest {

  @Test
  void run_manyRegions_everyPartOnceAndNoneLate() {
    try (KernelPool pool = new KernelPool(4)) {
      AtomicIntegerArray runs = new AtomicIntegerArray(9);
      // Two regions in turn: a late worker must neither run a part of the one that ended, nor use
      // the part count of the other.
      KernelPool.Region small = (part, worker) -> runs.addAndGet(part, 1);
      KernelPool.Region large = (part, worker) -> runs.addAndGet(part, 100);
      for (int round = 0; round < 100_000; round++) {
        int parts = round % 2 == 0 ? 2 : 9;
        pool.run(round % 2 == 0 ? small : large, parts);
        for (int i = 0; i < 9; i++) {
          int expected = i >= parts ? 0 : round % 2 == 0 ? 1 : 100;
          if (runs.getAndSet(i, 0) != expected) {
            throw new AssertionError("round " + round + ", part " + i);
          }
        }
      }
    }
  }

  @Test
  void run_afterIdling_wakesParkedWorkers() throws InterruptedException {
    try (KernelPool pool = new KernelPool(2)) {
      for (int round = 0; round < 5; round++) {
        Thread.sleep(5);
        AtomicIntegerArray runs = new AtomicIntegerArray(2);
        pool.run(
            (part, worker) -> {
              runs.incrementAndGet(part);
              // Both parts wait for each other, so the second thread has to come.
              while (runs.get(1 - part) == 0) {
                Thread.onSpinWait();
              }
            },
            2);
        assertThat(runs.get(0) + runs.get(1)).isEqualTo(2);
      }
    }
  }

  @Test
  void run_partThrows_callerGetsItAndPoolGoesOn() {
    try (KernelPool pool = new KernelPool(3)) {
      assertThatThrownBy(() ->
              pool.run(
                  (part, worker) -> {
                    if (part == 5) {
                      throw new IllegalArgumentException("part 5");
                    }
                  },
                  8))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("part 5");
      AtomicIntegerArray runs = new AtomicIntegerArray(8);
      pool.run((part, worker) -> runs.incrementAndGet(part), 8);
      assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1, 1, 1, 1, 1]");
    }
  }

  @Test
  void close_workersEnd() throws InterruptedException {
    KernelPool pool = new KernelPool(3);
    pool.run((part, worker) -> {}, 3);
    pool.close();
    long deadline = System.nanoTime() + 5_000_000_000L;
    while (alive() > 0 && System.nanoTime() < deadline) {
      Thread.sleep(5);
    }
    assertThat(alive()).isZero();
    assertThatThrownBy(() -> pool.run((part, worker) -> {}, 3))
        .isInstanceOf(IllegalStateException.class);
  }

  private static long alive() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("kvasir-kernel-"))
        .count();
  }

  @Test
  void run_delayedWorkers_neverRunAPartTwice() {
    // More threads than processors, so that workers are often taken away between two reads.
    try (KernelPool pool = new KernelPool(8)) {
      int[] runs = new int[64];
      for (int round = 0; round < 30_000; round++) {
        int parts = 2 + round * 7 % 40;
        Arrays.fill(runs, 0);
        pool.run((part, worker) -> runs[part]++, parts);
        for (int part = 0; part < parts; part++) {
          if (runs[part] != 1) {
            throw new AssertionError(
                "round " + round + ", part " + part + ": " + runs[part] + " runs");
          }
        }
      }
    }
  }
}
