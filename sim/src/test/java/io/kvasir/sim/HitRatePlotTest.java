package io.kvasir.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class HitRatePlotTest {
  private static final Pattern TAG =
      Pattern.compile("<(/?)([a-z]+)((?: [a-zA-Z-]+=\"[^\"<&]*\")*)(/?)>");
  private static final Pattern NUMBER = Pattern.compile("(?:x|y|cx|cy)=\"(-?[0-9.]+)\"");

  private static ReplayResult result(String policy, int blocks, long hits) {
    ReplayConfig config =
        new ReplayConfig(
            policy, blocks, List.of(), ReplayConfig.Mode.ONE_AT_A_TIME, new ServiceRates(1, 1));
    return new ReplayResult(config, 1000, hits, List.of(), 0, 0, 0, ReplayResult.Load.NONE);
  }

  private static List<ReplayResult> results() {
    List<ReplayResult> results = new ArrayList<>();
    for (String policy : SimulatedPolicies.names()) {
      for (int blocks : new int[] {1_000, 3_000, 10_000, 30_000}) {
        results.add(result(policy, blocks, policy.equals("none") ? 0 : blocks / 100 + 60));
      }
    }
    return results;
  }

  @Test
  void draw_results_isWellFormedAndInsideThePicture() {
    String svg = HitRatePlot.draw("a <b> & \u001b\"c\"", results());

    Deque<String> open = new ArrayDeque<>();
    Matcher tags = TAG.matcher(svg);
    while (tags.find()) {
      if (!tags.group(1).isEmpty()) {
        assertThat(open.pop()).isEqualTo(tags.group(2));
      } else if (tags.group(4).isEmpty()) {
        open.push(tags.group(2));
      }
    }
    assertThat(open).isEmpty();
    assertThat(svg.replaceAll(TAG.pattern(), "")).doesNotContain("<");
    assertThat(svg).contains("a &lt;b&gt; &amp; ?\"c\"").doesNotContain("NaN");
    Matcher numbers = NUMBER.matcher(svg);
    while (numbers.find()) {
      assertThat(Double.parseDouble(numbers.group(1))).isBetween(0.0, 760.0);
    }
  }

  @Test
  void draw_linesThatEndTogether_haveLabelsApart() {
    String svg = HitRatePlot.draw("t", results());

    Matcher names = Pattern.compile("<text class=\"name[^>]* y=\"([0-9.]+)\">").matcher(svg);
    double last = -100;
    int count = 0;
    while (names.find()) {
      double y = Double.parseDouble(names.group(1));
      assertThat(y - last).isGreaterThanOrEqualTo(14.9);
      last = y;
      count++;
    }
    assertThat(count).isEqualTo(SimulatedPolicies.names().size());
    assertThat(last).isLessThan(420);
  }

  @Test
  void draw_oneSizeAndNoHits_stillWorks() {
    assertThat(HitRatePlot.draw("t", List.of(result("lru", 10, 0))))
        .contains("lru")
        .doesNotContain("NaN");
    assertThatThrownBy(() -> HitRatePlot.draw("t", List.of())).hasMessageContaining("nothing");
  }
}
