package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Compares the engine with the JDK's on random patterns and random texts.
class RegexTest {
  private static final long SEED = Long.getLong("kvasir.test.seed", 20_261_122L);
  private static final List<String> CHARS =
      List.of("a", "b", "c", "0", "1", " ", "_", "-", "é", "😀");

  @Test
  void match_randomPatterns_agreesWithTheJdk() {
    SplittableRandom random = new SplittableRandom(SEED);
    int matches = 0;
    for (int i = 0; i < 1_500; i++) {
      String pattern = pattern(random, 3);
      if (random.nextInt(3) == 0) {
        pattern = "^" + pattern;
      }
      if (random.nextInt(3) == 0) {
        pattern = pattern + "$";
      }
      CharDfa whole = RegexDfa.whole(RegexParser.parse(pattern), new Budget());
      CharDfa anywhere = RegexDfa.anywhere(RegexParser.parse(pattern), new Budget());
      Pattern jdk = Pattern.compile(pattern);
      for (int j = 0; j < 30; j++) {
        String text = text(random);
        boolean expected = jdk.matcher(text).matches();
        matches += expected ? 1 : 0;
        assertThat(whole.match(text) == 0)
            .as("seed %d, %s matches %s", SEED, pattern, text)
            .isEqualTo(expected);
        assertThat(anywhere.match(text) == 0)
            .as("seed %d, %s is found in %s", SEED, pattern, text)
            .isEqualTo(jdk.matcher(text).find());
      }
    }
    assertThat(matches).isGreaterThan(1_000);
  }

  private static String text(SplittableRandom random) {
    StringBuilder out = new StringBuilder();
    int length = random.nextInt(7);
    for (int i = 0; i < length; i++) {
      out.append(CHARS.get(random.nextInt(CHARS.size())));
    }
    return out.toString();
  }

  private static String pattern(SplittableRandom random, int depth) {
    StringBuilder out = new StringBuilder();
    int parts = 1 + random.nextInt(3);
    for (int i = 0; i < parts; i++) {
      out.append(atom(random, depth));
      switch (random.nextInt(9)) {
        case 0 -> out.append('*');
        case 1 -> out.append('+');
        case 2 -> out.append('?');
        case 3 -> out.append("{2}");
        case 4 -> out.append("{1,3}");
        case 5 -> out.append("{1,}?");
        default -> {}
      }
    }
    if (depth > 0 && random.nextInt(4) == 0) {
      out.append('|').append(pattern(random, depth - 1));
    }
    return depth == 3 ? "(?:" + out + ")" : out.toString();
  }

  private static String atom(SplittableRandom random, int depth) {
    List<String> atoms =
        List.of(
            "[ab]", "[^ab]", "[a-c0]", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", ".", "[^\\w]",
            "[\\d_-]", "[é-ü]", "\\x61", "\\u0062", "\\-", "[^\\S]");
    return switch (random.nextInt(5)) {
      case 0, 1 -> CHARS.get(random.nextInt(CHARS.size())).replace("-", "\\-");
      case 2, 3 -> atoms.get(random.nextInt(atoms.size()));
      default -> depth > 0 ? "(" + pattern(random, Math.min(depth - 1, 2)) + ")" : "a";
    };
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(",
        ")",
        "[a",
        "a{2",
        "a{3,1}",
        "*a",
        "a**",
        "(?=a)b",
        "(?<!a)b",
        "(a)\\1",
        "\\ba",
        "\\p{L}",
        "[b-a]",
        "a{99999}",
        "\\",
        "[\\d-z]",
        "(?i)a",
        "\\uD800",
        "^*a",
        "a{,3}"
      })
  void parse_malformedOrNotRegular_isRefusedInOneSentence(String pattern) {
    assertThatThrownBy(() -> RegexParser.parse(pattern))
        .isInstanceOf(GrammarException.class)
        .hasMessageContaining("pattern")
        .hasMessageNotContaining("\n");
  }

  @Test
  void whole_equalLanguages_haveEquallyManyStates() {
    CharDfa one = RegexDfa.whole(RegexParser.parse("(a|b)*abb"), new Budget());
    CharDfa other = RegexDfa.whole(RegexParser.parse("(a*b*)*abb|(b|a)*abb"), new Budget());

    assertThat(one.states()).isEqualTo(other.states()).isEqualTo(4);
  }
}
