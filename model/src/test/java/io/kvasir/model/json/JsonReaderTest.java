package io.kvasir.model.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {
  private static final long SEED = 20261122L;

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "null~null",
        " true ~true",
        "[1,2 , 3]~[1,2,3]",
        "{\"a\":{\"b\":[]},\"c\":\"d\"}~{\"a\":{\"b\":[]},\"c\":\"d\"}",
        "-0~0",
        "1e2~100.0",
        "-1.5E-1~-0.15",
        "{}~{}",
        "[]~[]",
        "\"\\u0041\\n\\\"\\/\"~\"A\\n\\\"/\"",
        "\"\\ud83d\\ude00\"~\"😀\"",
        "{\"a\":1,\"a\":2}~{\"a\":2}",
        "123456789012345678901234567890~123456789012345678901234567890",
      })
  void parse_validText_writesBackAsExpected(String text, String written) {
    assertThat(Json.parse(text).toText()).isEqualTo(written);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "nul",
        "truefalse",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "[1,]",
        "[1 2]",
        "[",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "1 2",
        "]",
        "NaN",
        "'a'",
        "// x\n1"
      })
  void parse_invalidText_isRefusedWithItsOffset(String text) {
    assertThatThrownBy(() -> Json.parse(text))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining("character ");
  }

  @Test
  void parse_byteOrderMark_isSkipped() {
    assertThat(Json.parse("\uFEFF[1]")).isEqualTo(new Json.Arr(List.of(new Json.Int(1))));
  }

  @Test
  void parse_deepNesting_isRefusedWithoutOverflow() {
    String fits = "[".repeat(JsonReader.MAX_DEPTH) + "]".repeat(JsonReader.MAX_DEPTH);
    assertThat(Json.parse(fits)).isInstanceOf(Json.Arr.class);
    for (String open : List.of("[", "{\"a\":")) {
      assertThatThrownBy(() -> Json.parse(open.repeat(1_000_000)))
          .isInstanceOf(JsonException.class)
          .hasMessageContaining("nesting");
    }
  }

  @Test
  void parse_endlessNumber_isRefused() {
    assertThatThrownBy(() -> Json.parse("1".repeat(1_000_000)))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining("number");
  }

  @Test
  void parse_randomValues_comeBackFromTheirText() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int round = 0; round < 2000; round++) {
      Json value = value(random, 0);
      assertThat(Json.parse(value.toText())).as("seed %d round %d", SEED, round).isEqualTo(value);
    }
  }

  private static Json value(SplittableRandom random, int depth) {
    return switch (random.nextInt(depth > 4 ? 5 : 7)) {
      case 0 -> Json.Null.NULL;
      case 1 -> new Json.Bool(random.nextBoolean());
      case 2 -> new Json.Int(BigInteger.valueOf(random.nextLong()).shiftLeft(random.nextInt(40)));
      case 3 -> new Json.Real(random.nextDouble() * Math.pow(10, random.nextInt(-30, 30)));
      case 4 -> new Json.Str(text(random));
      case 5 -> {
        List<Json> items = new ArrayList<>();
        for (int n = random.nextInt(4); n > 0; n--) {
          items.add(value(random, depth + 1));
        }
        yield new Json.Arr(items);
      }
      default -> {
        Map<String, Json> fields = new LinkedHashMap<>();
        for (int n = random.nextInt(4); n > 0; n--) {
          fields.put(text(random), value(random, depth + 1));
        }
        yield new Json.Obj(fields);
      }
    };
  }

  private static String text(SplittableRandom random) {
    StringBuilder out = new StringBuilder();
    for (int n = random.nextInt(6); n > 0; n--) {
      out.append((char) random.nextInt(random.nextBoolean() ? 128 : 0x10000));
    }
    return out.toString();
  }

  @Test
  void get_missingFields_answerNullAllTheWay() {
    Json json = Json.parse("{\"a\":{\"n\":3,\"s\":\"x\",\"z\":null}}");
    assertThat(json.get("b").get("c").isNull()).isTrue();
    assertThat(json.get("a").intOr("n", 7)).isEqualTo(3);
    assertThat(json.get("a").intOr("m", 7)).isEqualTo(7);
    assertThat(json.get("a").stringOr("z", "y")).isEqualTo("y");
    assertThat(json.get("a").has("z")).isFalse();
    assertThat(json.get("q").asList()).isEmpty();
    assertThat(json.get("q").asMap()).isEmpty();
  }

  @Test
  void as_anotherKind_saysWhatWasFound() {
    Json json = Json.parse("{\"s\":\"x\",\"big\":99999999999,\"frac\":1.5,\"whole\":2.0}");
    assertThatThrownBy(() -> json.get("s").asInt())
        .isInstanceOf(JsonException.class)
        .hasMessage("expected an integer but found \"x\"");
    assertThatThrownBy(() -> json.get("big").asInt()).isInstanceOf(JsonException.class);
    assertThatThrownBy(() -> json.get("frac").asLong()).isInstanceOf(JsonException.class);
    assertThatThrownBy(() -> json.get("s").asList()).isInstanceOf(JsonException.class);
    assertThatThrownBy(() -> json.asString()).isInstanceOf(JsonException.class);
    assertThat(json.get("big").asLong()).isEqualTo(99_999_999_999L);
    assertThat(json.get("whole").asInt()).isEqualTo(2);
    assertThat(json.get("big").asDouble()).isEqualTo(99_999_999_999.0);
  }
}
