package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/// Shares of recalled facts, worked out by hand.
class RecallScoreTest {
  private static RecallScore score(boolean... rights) {
    RecallScore score = new RecallScore();
    RecallContext near = new RecallContext(100, List.of(), List.of());
    RecallContext far = new RecallContext(200, List.of(), List.of());
    for (int i = 0; i < rights.length; i++) {
      if (i == 0) {
        score.read(near, 100, 1000);
      } else if (i == 2) {
        score.read(far, 300, 5000);
      }
      Fact fact = new Fact("word", "Tom", "river", i % 2 == 0 ? 0.25 : 0.75);
      score.answered(i < 2 ? near : far, fact, rights[i] ? "River." : "A lake.");
    }
    return score;
  }

  @Test
  void shares_byLengthAndDepth() {
    RecallScore score = score(true, false, true, true);

    assertThat(score.share()).isEqualTo(0.75);
    assertThat(score.lengths()).containsExactly(100, 200);
    assertThat(score.share(100, 0, 1)).isEqualTo(0.5);
    assertThat(score.share(100, 0, 0.5)).isEqualTo(1);
    assertThat(score.share(100, 0.5, 1)).isZero();
    assertThat(score.share(200, 0, 1)).isEqualTo(1);
    assertThat(score.share(300, 0, 1)).isNaN();
    assertThat(score.bytesPerToken()).isEqualTo(15);
  }

  @Test
  void row_isComparedWithTheFullCache() {
    RecallScore full = score(true, true, false, true);
    RecallScore score = score(false, true, true, true);
    RecallRow row = new RecallRow("int4", "snapkv:0.5", 0.5, score, full);

    assertThat(score.lost(full)).isEqualTo(1);
    assertThat(score.gained(full)).isEqualTo(1);
    assertThat(full.lost(full)).isZero();
    assertThat(row.shareOfFull()).isCloseTo(1, within(1e-12));
    assertThat(row.name()).isEqualTo("int4 snapkv:0.5");
    assertThat(row.json().get("lost").asInt()).isEqualTo(1);
    assertThat(row.json().get("gained").asInt()).isEqualTo(1);
    assertThat(row.json().get("one_question").asDouble()).isEqualTo(0.25);
    assertThat(row.json().get("by_length").asList().getFirst().get("by_depth").asList()).hasSize(8);
    assertThat(row.json().get("missed").asList().getFirst().get("answer").asString())
        .isEqualTo("A lake.");
  }

  @Test
  void change_isThatOfPairsWithTheSpreadBetweenTexts() {
    RecallScore full = score(true, true, false, true);

    Interval alike = score(false, true, true, true).change(full);
    assertThat(alike.value()).isZero();
    // One text loses half a fact per question, the other gains it: t of one degree of freedom
    // times the standard error sqrt((1 + 1) * 2 / 1) / 4.
    assertThat(alike.high()).isCloseTo(12.706 * 0.5, within(1e-9));
    assertThat(alike.low()).isCloseTo(-12.706 * 0.5, within(1e-9));

    Interval lost = score(false, true, false, false).change(full);
    assertThat(lost.value()).isEqualTo(-0.5);
    assertThat(lost.high()).isEqualTo(-0.5);
    assertThat(score(true, true, false, true).contexts()).isEqualTo(2);
  }
}
