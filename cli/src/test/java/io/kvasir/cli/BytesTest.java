package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BytesTest {
  @Test
  void parse_knowsUnitsOfBothKinds() {
    assertThat(Bytes.parse("80GiB")).isEqualTo(80L << 30);
    assertThat(Bytes.parse("1.5g")).isEqualTo(3L << 29);
    assertThat(Bytes.parse("512 MB")).isEqualTo(512_000_000L);
    assertThat(Bytes.parse("4096")).isEqualTo(4096);
  }

  @Test
  void parse_whatIsNoSize_isRefusedByName() {
    for (String text : new String[] {"", "GiB", "80 bananas", "-1GiB", "1e30TiB", "1.2.3g"}) {
      assertThatThrownBy(() -> Bytes.parse(text))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("'" + text + "'");
    }
  }

  @Test
  void text_usesTheLargestUnitThatFits() {
    assertThat(Bytes.text(1023)).isEqualTo("1023 B");
    assertThat(Bytes.text(40L << 30)).isEqualTo("40.0 GiB");
  }
}
