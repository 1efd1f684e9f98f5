package io.kvasir.model.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizesTest {

  @ParameterizedTest
  @CsvSource({
    "80GiB, 85899345920",
    "80GB, 80000000000",
    "80g, 85899345920",
    "1.5 GiB, 1610612736",
    "512mib, 536870912",
    "4096, 4096",
    "7B, 7",
    "2TiB, 2199023255552",
    "0.5KB, 500",
  })
  void parseBytes_unitsOfBothKinds(String text, long bytes) {
    assertThat(Sizes.parseBytes(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({"128k, 131072", "128K, 131072", "1m, 1048576", "4096, 4096", "0.5k, 512"})
  void parseTokens_kIs1024(String text, long tokens) {
    assertThat(Sizes.parseTokens(text)).isEqualTo(tokens);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "GiB",
        "-1",
        "0",
        "0.1",
        "1e9",
        "12 parsecs",
        "9999999999999TiB",
        "1 2",
        "0x10"
      })
  void parse_nonsense_namesTheValue(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Sizes.parseBytes(text))
        .withMessageContaining("'" + text + "'")
        .withMessageContaining("80GiB");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Sizes.parseTokens(text))
        .withMessageContaining("128k");
  }

  @Test
  void parse_veryLong_isRefusedBriefly() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Sizes.parseBytes("1".repeat(100_000)))
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200));
  }

  @Test
  void bytesAndTokens_areShort() {
    assertThat(Sizes.bytes(40L << 30)).isEqualTo("40.0 GiB");
    assertThat(Sizes.bytes(5L << 30)).isEqualTo("5.00 GiB");
    assertThat(Sizes.bytes(1023L)).isEqualTo("1023 B");
    assertThat(Sizes.bytes(72.5)).isEqualTo("72.5 B");
    assertThat(Sizes.bytes(Long.MAX_VALUE)).isEqualTo("8.00 EiB");
    assertThat(Sizes.tokens(131_072)).isEqualTo("128k");
    assertThat(Sizes.tokens(1 << 20)).isEqualTo("1m");
    assertThat(Sizes.tokens(1000)).isEqualTo("1000");
  }
}
