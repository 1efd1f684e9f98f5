package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.prune.PruneOptions;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What `--prune` takes, and what fits in equal memory.
class PruneChoiceTest {
  @Test
  void parse_policyAndRatios() {
    assertThat(PruneChoice.parse("snapkv:0.5,0.75").options().stream().map(PruneOptions::text))
        .containsExactly("snapkv:0.5", "snapkv:0.75");
    assertThat(PruneChoice.parse("snapkv:0.5").all()).isFalse();
  }

  @Test
  void parse_all_hasEveryPolicyAndTheNulls() {
    PruneChoice choice = PruneChoice.parse("all:0.5,0.875");

    assertThat(choice.all()).isTrue();
    assertThat(choice.options()).hasSize(2 * PruneOptions.policies().size());
    assertThat(choice.options().stream().map(PruneOptions::text))
        .contains("window:0.5", "random:0.5", "window:0.875", "random:0.875");
  }

  @Test
  void parse_whatCannotBeRead_isNamed() {
    for (String wrong : List.of("all", "all:x", "snapkv", "snapkv:1", "nobody:0.5", "", ":0.5")) {
      assertThatThrownBy(() -> PruneChoice.parse(wrong))
          .as(wrong)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static RecallRow row(String format, String policy, int bytes, int right) {
    RecallScore score = new RecallScore();
    RecallContext context = new RecallContext(100, List.of(), List.of());
    score.read(context, 100, 100L * bytes);
    for (int i = 0; i < 10; i++) {
      Fact fact = new Fact("word", "Tom", "river", 0.5);
      score.answered(context, fact, i < right ? "river" : "lake");
    }
    return new RecallRow(format, policy, 1, score, null);
  }

  @Test
  void equalBytes_takesTheBestOfEachKindThatFits() {
    RecallRow half = row("f16", "snapkv:0.5", 500, 8);
    RecallRow coded = row("int4", "", 280, 9);
    RecallRow worse = row("int5", "", 300, 9);
    RecallRow both = row("int4", "snapkv:0.5", 140, 7);
    EqualBytes equal =
        new EqualBytes(List.of(row("f16", "", 1000, 10), half, worse, coded, both), 1000);

    assertThat(equal.best(0.5, true, false)).isSameAs(coded);
    assertThat(equal.best(0.5, false, true)).isSameAs(half);
    assertThat(equal.best(0.5, true, true)).isSameAs(both);
    assertThat(equal.best(0.25, true, false)).isNull();
    assertThat(equal.best(0.125, true, true)).isNull();
    assertThat(equal.json().asList().getFirst().get("both").get("name").asString())
        .isEqualTo("int4 snapkv:0.5");
  }
}
