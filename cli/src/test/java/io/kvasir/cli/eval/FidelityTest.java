package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/// Statistics of many tokens, against numbers worked out by hand.
class FidelityTest {
  private static ReferenceRows.Difference difference(double divergence, double from, double to) {
    return new ReferenceRows.Difference(divergence, from == to, Math.log(from), Math.log(to));
  }

  @Test
  void figures_ofFourTokens() {
    Fidelity fidelity = new Fidelity();
    fidelity.add(difference(0.3, 0.5, 0.25));
    fidelity.add(difference(0.1, 0.5, 0.5));
    fidelity.endDocument();
    fidelity.add(difference(0.2, 0.25, 0.25));
    fidelity.add(difference(0.4, 0.25, 0.5));
    fidelity.endDocument();

    FidelityFigures figures = FidelityFigures.of(fidelity);

    assertThat(figures.tokens()).isEqualTo(4);
    assertThat(figures.divergence().mean()).isCloseTo(0.25, within(1e-12));
    assertThat(figures.divergence().median()).isEqualTo(0.2);
    assertThat(figures.divergence().p99()).isEqualTo(0.4);
    assertThat(figures.divergence().max()).isEqualTo(0.4);
    assertThat(figures.sameTop()).isEqualTo(0.5);
    // The root of (0.25^2 + 0 + 0 + 0.25^2) / 4.
    assertThat(figures.rmsChange()).isCloseTo(0.25 / Math.sqrt(2), within(1e-12));
    // The fourth root of 4 * 2 * 4 * 2.
    assertThat(figures.perplexity()).isCloseTo(Math.sqrt(8), within(1e-12));
    // The documents lose and win ln 2.
    assertThat(figures.perplexityChange().value()).isCloseTo(0, within(1e-12));
    // Sums ln 2 and -ln 2: an error of sqrt(2 ln(2)^2 * 2) / 4, times 12.706.
    double bound = 12.706 * Math.log(2) / 2;
    assertThat(figures.perplexityChange().high()).isCloseTo(Math.expm1(bound), within(1e-9));
    assertThat(figures.perplexityChange().low()).isCloseTo(Math.expm1(-bound), within(1e-9));
  }

  @Test
  void divergenceAt_ofThousandTokens_takesTheNearestRank() {
    Fidelity fidelity = new Fidelity();
    for (int i = 2000; i > 0; i--) {
      fidelity.add(difference(i, 0.5, 0.5));
    }

    assertThat(fidelity.divergenceAt(0.5)).isEqualTo(1000);
    assertThat(fidelity.divergenceAt(0.99)).isEqualTo(1980);
    assertThat(fidelity.divergenceAt(0.999)).isEqualTo(1998);
    assertThat(fidelity.maxDivergence()).isEqualTo(2000);
  }

  @Test
  void interval_ofOneGroup_hasNoBounds() {
    Interval interval = Interval.ofRatio(List.of(new double[] {3, 4}));

    assertThat(interval.value()).isEqualTo(0.75);
    assertThat(interval.low()).isNaN();
    assertThat(interval.high()).isNaN();
  }
}
