package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SoftmaxTest {
  private static final long SEED = Seeds.seed(77);
  private static final int LANES = 16;

  @Test
  void run_anySpan_weightsAreExponentials() {
    SplittableRandom random = new SplittableRandom(SEED);
    Softmax softmax = new Softmax();
    for (int round = 0; round < 100; round++) {
      float[] s = Seeds.normal(random, 64, 30);
      float[] before = s.clone();
      int low = random.nextInt(64);
      int high = random.nextInt(low, 64) + 1;
      softmax.run(s, low, high, 1.5f, 0.25f);
      double largest = Double.NEGATIVE_INFINITY;
      for (int i = low; i < high; i++) {
        largest = Math.max(largest, before[i]);
      }
      assertThat(softmax.max).isEqualTo((float) ((largest + 1.5) * 0.25));
      for (int i = low; i < high; i++) {
        Seeds.close("weight", i, s[i], Math.exp(0.25 * (before[i] - largest)), 2e-6);
      }
    }
  }

  @Test
  void run_anyWidthOfVectors_sumsSixteenLanes() {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    Softmax softmax = new Softmax();
    for (int round = 0; round < 200; round++) {
      float[] s = Seeds.normal(random, 320, 3);
      int low = random.nextInt(256);
      int high = random.nextInt(low, 256) + 1;
      softmax.run(s, low, high, 0, 0.5f);
      float[] lanes = new float[LANES];
      for (int i = low; i < high; i++) {
        lanes[i % LANES] += s[i];
      }
      for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
          lanes[i] += lanes[i + half];
        }
      }
      Seeds.same("sum of rows %d to %d".formatted(low, high), round, softmax.sum, lanes[0]);
    }
  }
}
