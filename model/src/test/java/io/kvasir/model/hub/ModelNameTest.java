package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelNameTest {

  @Test
  void parse_allParts_areTakenApart() {
    assertThat(ModelName.parse("a/b-1.5")).isEqualTo(new ModelName("a", "b-1.5", null, "main"));
    assertThat(ModelName.parse("a/b:Q4_K_M")).isEqualTo(new ModelName("a", "b", "Q4_K_M", "main"));
    assertThat(ModelName.parse("a/b@refs/pr/1"))
        .isEqualTo(new ModelName("a", "b", null, "refs/pr/1"));
    assertThat(ModelName.parse(" a/b:sub/m.gguf@v1 "))
        .isEqualTo(new ModelName("a", "b", "sub/m.gguf", "v1"));
  }

  @Test
  void selectsFile_quantOrFile_areToldApart() {
    assertThat(ModelName.parse("a/b:Q4_K_M").selectsFile()).isFalse();
    assertThat(ModelName.parse("a/b:x.GGUF").selectsFile()).isTrue();
    assertThat(ModelName.parse("a/b:x/y").selectsFile()).isTrue();
    assertThat(ModelName.parse("a/b").selectsFile()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a",
        "a/",
        "/b",
        "a/b/c",
        "../b",
        "a/..",
        "a/b:",
        "a/b@",
        "a/b:../x.gguf",
        "a/b@../main",
        "a--b/c",
        "a/-b",
        "a/b.",
        "a b/c",
        "a/b:/etc/passwd",
        "a/b@/x",
        "C:\\x/y",
        "a/b:x\\y.gguf"
      })
  void parse_malformed_namesTheValue(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ModelName.parse(text))
        .withMessageContaining("is no model name");
    assertThat(ModelName.looksLike(text)).isFalse();
  }

  @Test
  void parse_veryLong_isRefusedBriefly() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ModelName.parse("a/" + "b".repeat(100_000)))
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(300));
  }

  @Test
  void toString_isWhatWasParsed() {
    for (String text : new String[] {"a/b", "a/b:Q8_0", "a/b@v1", "a/b:c/d.gguf@v1"}) {
      assertThat(ModelName.parse(text)).hasToString(text);
    }
  }
}
