package io.kvasir.kvcache.eviction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class EvictionPoliciesTest {

  @Test
  void named_unknown_listsTheNames() {
    assertThatThrownBy(() -> EvictionPolicies.named("mru"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("There is no eviction policy \"mru\"; there are lru")
        .hasMessageContaining(EvictionPolicies.defaultName());
  }

  @Test
  void names_includeTheDefault() {
    assertThat(EvictionPolicies.names()).contains(EvictionPolicies.defaultName(), "lru");
  }
}
