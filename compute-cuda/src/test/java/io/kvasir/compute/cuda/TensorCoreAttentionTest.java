package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class TensorCoreAttentionTest {
  /// What `attend_plan` lists for a row whose range is cut into sinks, codes and a tail anywhere.
  @Test
  void mostRuns_anyCuts_isNoLessThanTheRunsOfARow() {
    long seed = 11;
    SplittableRandom random = new SplittableRandom(seed);
    int[] edges = {0, 31, 255, 256, 2047, 2048, 4095, 4096, 16383, 16384, 131_071};
    for (int i = 0; i < 20_000; i++) {
      int position = i < edges.length ? edges[i] : random.nextInt(1, 40_000);
      int end = position + 1;
      int from = random.nextInt(end);
      int sinksTo = random.nextInt(from, end + 1);
      int tailFrom = random.nextInt(sinksTo, end + 1);
      int tokens =
          256
              << (position >= 2048 ? 1 : 0)
              << (position >= 4096 ? 1 : 0)
              << (position >= 16384 ? 1 : 0);
      int runs =
          runs(from, sinksTo, tokens)
              + runs(sinksTo, tailFrom, tokens)
              + runs(tailFrom, end, tokens);

      assertThat(TensorCoreAttention.mostRuns(position, 0))
          .as("position %d, cuts %d, %d, %d, seed %d", position, from, sinksTo, tailFrom, seed)
          .isGreaterThanOrEqualTo(runs);
    }
  }

  private static int runs(int from, int to, int tokens) {
    int count = 0;
    for (int at = from; at < to; count++) {
      at = Math.min((at + tokens) / 32 * 32, to);
    }
    return count;
  }
}
