package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Texts with facts in them.
class RecallContextTest {
  private static final RecallContext.Plan PLAN = new RecallContext.Plan(List.of(400, 900), 2, 8, 7);

  private static int words(String text) {
    return text.split("\\s+").length;
  }

  private static List<RecallContext> contexts() {
    return RecallContext.make(PLAN, RecallContextTest::words);
  }

  @Test
  void make_sameSeed_makesTheSame() {
    assertThat(contexts()).isEqualTo(contexts());
    RecallContext.Plan other = new RecallContext.Plan(List.of(400, 900), 2, 8, 8);
    assertThat(RecallContext.make(other, RecallContextTest::words)).isNotEqualTo(contexts());
  }

  @Test
  void make_placesEachFactOnceAtItsDepth() {
    for (RecallContext context : contexts()) {
      String text = String.join("\n", context.turns());
      assertThat(words(text)).isBetween(context.length() - 20, context.length() + 60);
      assertThat(context.facts()).hasSize(8);
      for (Fact fact : context.facts()) {
        int at = text.indexOf(fact.statement());
        assertThat(at).as(fact.statement()).isNotNegative();
        assertThat(text.indexOf(fact.value(), at + fact.statement().length())).isNegative();
        assertThat((double) at / text.length()).isBetween(fact.depth() - 0.1, fact.depth() + 0.1);
      }
    }
  }

  @Test
  void make_everySecondContext_isToldInTwoTurnsWithFactsInBoth() {
    List<RecallContext> contexts = contexts();

    assertThat(contexts.stream().map(context -> context.turns().size()))
        .containsExactly(1, 2, 2, 1);
    assertThat(contexts.get(2).turns()).allMatch(turn -> turn.contains("Remember: "));
  }

  @Test
  void make_asksForNoNameTwice() {
    for (RecallContext context : contexts()) {
      Set<String> questions = new HashSet<>();
      Set<String> values = new HashSet<>();
      for (Fact fact : context.facts()) {
        assertThat(questions.add(fact.question())).isTrue();
        assertThat(values.add(fact.value())).isTrue();
      }
    }
  }

  @Test
  void plan_tooManyFacts_isRefused() {
    assertThatThrownBy(() -> new RecallContext.Plan(List.of(400), 1, 33, 0))
        .hasMessageContaining("33");
  }

  @Test
  void fact_isFoundWholeOnly() {
    Fact number = new Fact("number", "Lily", "4821", 0.5);
    Fact word = new Fact("word", "Tom", "river", 0.5);

    assertThat(number.isIn("The secret number of Lily is 4821.")).isTrue();
    assertThat(number.isIn("It is 48213.")).isFalse();
    assertThat(number.isIn("It is 14821.")).isFalse();
    assertThat(word.isIn("River!")).isTrue();
    assertThat(word.isIn("the driver")).isFalse();
    assertThat(word.isIn("rivers")).isFalse();
  }
}
