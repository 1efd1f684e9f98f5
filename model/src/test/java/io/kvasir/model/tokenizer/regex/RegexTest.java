package io.kvasir.model.tokenizer.regex;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RegexTest {
  private static final String LLAMA3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String GPT4O =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
          + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
          + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String GROUPS_OF_THREE = "(?=(\\d{3})+(?!\\d))";

  /// What `java.util.regex` finds, under the same rule for empty matches.
  private static List<String> peer(String pattern, String text) {
    Matcher matcher = Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS).matcher(text);
    List<String> out = new ArrayList<>();
    int lastEnd = -1;
    while (matcher.find()) {
      if (matcher.start() != matcher.end() || matcher.start() != lastEnd) {
        out.add(matcher.start() + "-" + matcher.end());
      }
      lastEnd = matcher.end();
    }
    return out;
  }

  private static List<String> ours(String pattern, String text) {
    int[] bounds = Regex.compile(pattern).find(text);
    List<String> out = new ArrayList<>();
    for (int i = 0; i < bounds.length; i += 2) {
      out.add(bounds[i] + "-" + bounds[i + 1]);
    }
    return out;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LLAMA3,
        GPT4O,
        GROUPS_OF_THREE,
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "\\d{1,3}(?=(?:\\d{3})*\\b)",
        "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\s++",
        "a*?b|a+?",
        "(?:ab|a)(?:bc|c)*c?",
        "(?>a+)b|a",
        "(?<=a)b|(?<!b)1",
        "(?:a?b?)*x|[ab1]",
        "(?i:ab?)+ |(?i)B",
        "\\bb|1\\B",
        "[a-b1&&[^b]]+",
        "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}"
      })
  void find_smallAlphabetTexts_equalsJavaRegex(String pattern) {
    long seed = Long.getLong("kvasir.test.seed", 20261122L);
    SplittableRandom random = new SplittableRandom(seed);
    String[] alphabet = {"a", "b", "A", "B", "1", "2", " ", " ", "\n", "'s", "x", "é", "c"};
    for (int round = 0; round < 1500; round++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(round / 50 + 2); n > 0; n--) {
        text.append(alphabet[random.nextInt(alphabet.length)]);
      }
      assertThat(ours(pattern, text.toString()))
          .as("seed %d, text <%s>, pattern %s", seed, text, pattern)
          .isEqualTo(peer(pattern, text.toString()));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LLAMA3,
        GPT4O,
        GROUPS_OF_THREE,
        "\\s+$",
        "\\s+x",
        "\\s*\\S\\s*\\n",
        "a*b|a",
        "(?:a|aa)+x",
        "(?:a|b|ab)*(?=x)",
        "\\d{1,3}(?=(?:\\d{3})*\\b)",
        "\\p{N}{1,3}(?=(?:\\p{N}{3})*z)",
        "(?=a*b)a|(?=(?:a|\\s|1)*x)a",
        "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+\\d",
        "\\s{512}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"
      })
  @Timeout(value = 60, unit = TimeUnit.SECONDS)
  void find_hostileTexts_takesLinearWork(String pattern) {
    for (String unit : List.of("a", " ", "1", "A", "a ", "ab", "😀", "\n", "́", "\u4e00", "'")) {
      for (String end : List.of("", "z", "b", " x")) {
        long small = work(pattern, unit.repeat(4_000) + end);
        long large = work(pattern, unit.repeat(16_000) + end);
        assertThat(large).as("%s on %s...%s", pattern, unit, end).isLessThan(8 * small + 50_000);
        assertThat(small).as("%s on %s...%s", pattern, unit, end).isLessThan(4_000L * 500);
      }
    }
  }

  private static long work(String pattern, String text) {
    RegexMatcher matcher = Regex.compile(pattern).matcher(text);
    matcher.findAll();
    return matcher.steps();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "\\p{Han}+~x漢字y~1-3",
        "[\\p{L}&&[^\\p{Han}]]+~x漢y~0-1,2-3",
        "(?i:'s)~'ſ~0-2",
        "\\p{N}{1,3}+~12345~0-5",
        "[[:digit:]x]+~1x2~0-3",
        "\\p{^L}~a1~1-2",
        "\\x{1F600}|\\u0041~A😀~0-1,1-3",
        "[^(\\s|.,!?…。，、।۔،)]+~ab|c(d~0-2,3-4,5-6",
        "a{,2}b~aab~0-3",
        "a{x~a{x~0-3",
        "\\h+~fg~0-1",
      })
  void find_rubySyntax_isUnderstood(String pattern, String text, String expected) {
    assertThat(String.join(",", ours(pattern, text))).isEqualTo(expected);
  }

  @Test
  void find_spaceEscape_isUnicodeWhiteSpace() {
    assertThat(ours("\\s", "\u0085\u00a0\u2028\u3000\u001c"))
        .containsExactly("0-1", "1-2", "2-3", "3-4");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(",
        ")",
        "[a",
        "(a)\\1",
        "\\p{Nonsense}",
        "[b-a]",
        "*a",
        "(?<n",
        "\\",
        "a{1001}",
        "((a{900}){900}){900}",
        "(?q:a)",
        "\\x{110000}",
        "[\\x{FFFFFFFFF}]"
      })
  void compile_malformed_saysSo(String pattern) {
    assertThatThrownBy(() -> Regex.compile(pattern)).isInstanceOf(RegexSyntaxException.class);
  }

  @Test
  @Timeout(value = 60, unit = TimeUnit.SECONDS)
  void find_loopOverNothingOnHostileText_isRefusedRatherThanHanging() {
    assertThatThrownBy(() -> Regex.compile("(a*)*b").find("a".repeat(20_000)))
        .isInstanceOf(RegexSyntaxException.class)
        .hasMessageContaining("steps on 20000 characters");
  }

  @Test
  void compile_deepNesting_isRefusedWithoutOverflow() {
    assertThatThrownBy(() -> Regex.compile("(".repeat(100_000)))
        .isInstanceOf(RegexSyntaxException.class);
    assertThatThrownBy(() -> Regex.compile("[".repeat(100_000)))
        .isInstanceOf(RegexSyntaxException.class);
    assertThatThrownBy(() -> Regex.compile("a" + "*".repeat(100_000)))
        .isInstanceOf(RegexSyntaxException.class);
  }

  @Test
  void replaceAll_literal_takesSpecialCharactersAsTheyAre() {
    assertThat(Regex.literal("a.b(").replaceAll("a.b(axb(a.b(", "-")).isEqualTo("-axb(-");
  }
}
