package io.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.model.AttentionConfig.HeadRules;
import org.junit.jupiter.api.Test;

/// Slopes of ALiBi against those that the paper (arXiv 2108.12409) states.
class HeadRulesTest {

  @Test
  void slopes_powerOfTwo_areTheGeometricSequence() {
    float[] slopes = HeadRules.NONE.alibi(8, 1).slopes(8);
    for (int h = 0; h < 8; h++) {
      assertThat(slopes[h]).isEqualTo((float) Math.pow(2, -h - 1));
    }
  }

  @Test
  void slopes_twelveHeads_continueWithEveryOtherOfSixteen() {
    float[] slopes = HeadRules.NONE.alibi(8, 1).slopes(12);
    assertThat(slopes[7]).isEqualTo(1f / 256);
    for (int h = 8; h < 12; h++) {
      double expected = Math.pow(2, -0.5 * (2 * (h - 8) + 1));
      assertThat(slopes[h]).isCloseTo((float) expected, within(1e-7f));
    }
  }
}
