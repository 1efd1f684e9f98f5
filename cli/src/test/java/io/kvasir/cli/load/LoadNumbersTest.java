package io.kvasir.cli.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Percentiles, arrival times, lengths and bounds.
class LoadNumbersTest {
  @Test
  void percentile_anySize_isTheSmallestThatEnoughDoNotExceed() {
    long seed = 20_261_122;
    SplittableRandom random = new SplittableRandom(seed);
    for (int count = 1; count <= 300; count++) {
      Samples samples = new Samples();
      long[] values = new long[count];
      for (int i = 0; i < count; i++) {
        values[i] = random.nextLong(1_000);
        samples.add(values[i]);
      }
      Arrays.sort(values);
      for (double percent : new double[] {0.1, 1, 50, 90, 95, 99, 99.9, 100}) {
        long found = samples.percentile(percent);
        long atMost = Arrays.stream(values).filter(value -> value <= found).count();
        long below = Arrays.stream(values).filter(value -> value < found).count();
        String what = "seed %d, %d values, p%s".formatted(seed, count, percent);
        assertThat(atMost * 100.0 / count).as(what).isGreaterThanOrEqualTo(percent - 1e-6);
        assertThat(below * 100.0 / count).as(what).isLessThan(percent);
      }
      assertThat(samples.max()).isEqualTo(values[count - 1]);
      assertThat(samples.mean()).isCloseTo(Arrays.stream(values).average().orElse(0), within(1e-6));
    }
  }

  @Test
  void percentile_valuesAddedLater_count() {
    Samples samples = new Samples();
    samples.add(5);
    assertThat(samples.percentile(50)).isEqualTo(5);
    samples.add(1);
    samples.add(2);

    assertThat(samples.percentile(50)).isEqualTo(2);
    assertThat(new Samples().percentile(99)).isZero();
    assertThatThrownBy(() -> samples.percentile(0)).hasMessageContaining("not 0.0");
  }

  @Test
  void poisson_gaps_areExponentialWithoutMemory() {
    int count = 200_000;
    double rate = 50;
    long[] times = Arrivals.poisson(count, rate, new SplittableRandom(7));
    double[] gaps = new double[count];
    for (int i = 0; i < count; i++) {
      gaps[i] = (times[i] - (i == 0 ? 0 : times[i - 1])) / 1e9;
    }
    double mean = Arrays.stream(gaps).average().orElse(0);
    double square = Arrays.stream(gaps).map(gap -> gap * gap).average().orElse(0);
    double together = 0;
    for (int i = 1; i < count; i++) {
      together += (gaps[i] - mean) * (gaps[i - 1] - mean) / count;
    }
    double variance = square - mean * mean;

    assertThat(mean).isCloseTo(1 / rate, within(0.01 / rate));
    assertThat(variance).isCloseTo(1 / (rate * rate), within(0.03 / (rate * rate)));
    assertThat(together / variance).as("correlation of neighbours").isCloseTo(0, within(0.01));
    // An exponential gap is longer than t with probability e^(-rate t), at every t.
    for (double t : new double[] {0.2 / rate, 1 / rate, 3 / rate}) {
      double longer = Arrays.stream(gaps).filter(gap -> gap > t).count() / (double) count;
      assertThat(longer).isCloseTo(Math.exp(-rate * t), within(0.005));
    }
  }

  @Test
  void poisson_equalSeed_givesEqualTimes_andInfiniteRateAllAtOnce() {
    assertThat(Arrivals.poisson(50, 3, new SplittableRandom(1)))
        .isEqualTo(Arrivals.poisson(50, 3, new SplittableRandom(1)))
        .isSorted();
    assertThat(Arrivals.poisson(5, Double.POSITIVE_INFINITY, new SplittableRandom(1)))
        .containsOnly(0);
    assertThatThrownBy(() -> Arrivals.poisson(5, 0, new SplittableRandom(1)))
        .hasMessageContaining("above 0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "5-", "9-3", "-4", "1-2-3"})
  void range_wrong_isNamed(String text) {
    assertThatThrownBy(() -> Range.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("a length is ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "ttft", "ttft:", "ttft:5", "speed:5ms", "ttft:-1ms", "itl:1ms,", "e2e:xs"})
  void slo_wrong_isNamed(String text) {
    assertThatThrownBy(() -> Slo.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("a bound is ttft, itl, tpot or e2e");
  }

  @Test
  void slo_bounds_holdForWhatKeepsAllOfThem() {
    Exchange exchange = new Exchange(0);
    exchange.sent(1_000_000);
    for (int token = 0; token < 11; token++) {
      exchange.token(100_000_000L + token * 10_000_000L);
    }
    exchange.usage(5, 2, 11);
    exchange.ended(205_000_000);

    assertThat(exchange.ttftNanos()).isEqualTo(100_000_000);
    assertThat(exchange.tpotNanos()).isEqualTo(10_000_000);
    assertThat(exchange.e2eNanos()).isEqualTo(205_000_000);
    assertThat(Slo.parse("ttft:100ms,itl:10ms,tpot:10000us,e2e:0.205s").holds(exchange)).isTrue();
    for (String tight : new String[] {"ttft:99ms", "itl:9ms", "tpot:9ms", "e2e:204ms"}) {
      assertThat(Slo.parse("e2e:1s," + tight).holds(exchange)).as(tight).isFalse();
    }
    exchange.failed("timeout", 1);
    assertThat(Slo.parse("e2e:10s").holds(exchange)).isFalse();
  }
}
