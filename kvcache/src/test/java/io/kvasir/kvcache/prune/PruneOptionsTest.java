package io.kvasir.kvcache.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class PruneOptionsTest {

  @Test
  void parse_everyPolicy_readsItsOwnText() {
    for (String name : TokenPruners.names()) {
      PruneOptions options = PruneOptions.parse(name + ":0.75");
      assertThat(options).isEqualTo(new PruneOptions(name, 0.75, 0));
      assertThat(PruneOptions.parse(options.text())).isEqualTo(options);
      assertThat(options.pruner().name()).isEqualTo(name);
      assertThat(options.isNone()).isFalse();
    }
    assertThat(PruneOptions.parse("none")).isEqualTo(PruneOptions.NONE);
    assertThat(PruneOptions.NONE.isNone()).isTrue();
    assertThat(PruneOptions.parse("window:0").isNone()).isTrue();
    assertThat(PruneOptions.NONE.text()).isEqualTo("none");
  }

  @Test
  void parse_nonsense_namesItAndThePolicies() {
    for (String text : new String[] {"", "snapkv", "snapkv:", "snapkv:half", ":", "none:0.5"}) {
      assertThatThrownBy(() -> PruneOptions.parse(text))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("snapkv");
    }
    assertThatThrownBy(() -> PruneOptions.parse("best:0.5"))
        .hasMessageContaining("'best'")
        .hasMessageContaining("snapkv, adakv");
    for (String ratio : new String[] {"1", "-0.1", "NaN", "7"}) {
      assertThatThrownBy(() -> PruneOptions.parse("window:" + ratio))
          .hasMessageContaining("less than 1");
    }
    assertThatThrownBy(() -> PruneOptions.NONE.withPinned(-1)).hasMessageContaining("-1");
  }
}
