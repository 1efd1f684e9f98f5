package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BodyBudgetTest {
  @Test
  void take_ofTwoThatDoNotFitTogether_refusesOne() {
    BodyBudget budget = new BodyBudget(1_000);
    try (BodyBudget.Share one = budget.open();
        BodyBudget.Share other = budget.open()) {
      one.take(500);
      other.take(500);
      assertThatThrownBy(() -> one.take(1)).isInstanceOf(ApiException.class);
      other.take(500);

      assertThat(one.taken()).isZero();
      assertThat(budget.taken()).isEqualTo(1_000);
    }
    assertThat(budget.taken()).isZero();
  }
}
