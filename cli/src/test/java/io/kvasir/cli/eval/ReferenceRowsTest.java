package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Divergences against numbers worked out by hand.
class ReferenceRowsTest {
  private static final double EXACT = 1e-7;

  private static float[] logs(double... probabilities) {
    float[] logs = new float[probabilities.length];
    for (int i = 0; i < logs.length; i++) {
      // Any constant may be added to logits.
      logs[i] = (float) (Math.log(probabilities[i]) + 3);
    }
    return logs;
  }

  @Test
  void compare_knownDistributions_givesTheirDivergence() {
    ReferenceRows rows = new ReferenceRows(2, 3);
    rows.set(1, logs(0.5, 0.25, 0.25));

    ReferenceRows.Difference difference = rows.compare(1, logs(0.25, 0.5, 0.25), 1);

    // 1/2 ln(2) + 1/4 ln(1/2) + 0
    assertThat(difference.divergence()).isCloseTo(0.25 * Math.log(2), within(EXACT));
    assertThat(difference.sameTop()).isFalse();
    assertThat(difference.reference()).isCloseTo(Math.log(0.25), within(EXACT));
    assertThat(difference.tested()).isCloseTo(Math.log(0.5), within(EXACT));
  }

  @Test
  void compare_isNotSymmetric() {
    ReferenceRows rows = new ReferenceRows(1, 2);
    rows.set(0, logs(0.9, 0.1));

    double forward = rows.compare(0, logs(0.5, 0.5), 0).divergence();
    rows.set(0, logs(0.5, 0.5));
    double backward = rows.compare(0, logs(0.9, 0.1), 0).divergence();

    // ln(2) - H(0.9) = 0.693147 - 0.325083, and -1/2 ln(4 * 0.09)
    assertThat(forward).isCloseTo(0.368064, within(1e-6));
    assertThat(backward).isCloseTo(0.510826, within(1e-6));
  }

  @Test
  void compare_equalLogits_isExactlyZero() {
    SplittableRandom random = new SplittableRandom(5);
    float[] logits = new float[1000];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextDouble(-30, 30);
    }
    ReferenceRows rows = new ReferenceRows(1, logits.length);
    rows.set(0, logits);

    ReferenceRows.Difference difference = rows.compare(0, logits.clone(), 7);

    assertThat(difference.divergence()).isZero();
    assertThat(difference.sameTop()).isTrue();
    assertThat(difference.tested()).isEqualTo(difference.reference());
  }

  @Test
  void compare_smallNoise_isHalfItsVariance() {
    SplittableRandom random = new SplittableRandom(6);
    int vocabulary = 4096;
    float[] logits = new float[vocabulary];
    float[] noisy = new float[vocabulary];
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < vocabulary; i++) {
      float noise = random.nextInt(-16, 17) / 1024f;
      noisy[i] = noise;
      sum += noise;
      squares += (double) noise * noise;
    }
    ReferenceRows rows = new ReferenceRows(1, vocabulary);
    rows.set(0, logits);
    double mean = sum / vocabulary;
    double half = (squares / vocabulary - mean * mean) / 2;

    assertThat(rows.compare(0, noisy, 0).divergence()).isCloseTo(half, within(half / 100));
  }
}
