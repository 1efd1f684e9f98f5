package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.kvasir.engine.TokenConstraint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Sources that would take much time or memory: each is refused in one sentence or compiled, soon.
class HostileGrammarTest {
  private final GrammarCompiler compiler = new GrammarCompiler(ToyVocabulary.trie());

  static Stream<Arguments> schemas() {
    return Stream.of(
        Arguments.of("deep", "{\"items\":".repeat(10_000) + "true" + "}".repeat(10_000)),
        Arguments.of("long", "{\"title\":\"" + "x".repeat(1 << 20) + "\"}"),
        Arguments.of("enum", "{\"enum\":[" + list(90_000, i -> "\"" + i * 7919 + "\"") + "]}"),
        Arguments.of(
            "distribution",
            "{\"allOf\":["
                + list(20, i -> "{\"anyOf\":[{\"minimum\":" + i + "},{\"maxLength\":" + i + "}]}")
                + "]}"),
        Arguments.of("minItems", "{\"type\":\"array\",\"minItems\":1000000000}"),
        Arguments.of(
            "minItems nested",
            "{\"type\":\"array\",\"minItems\":999,\"items\":{\"type\":\"array\",\"minItems\":999,\"items\":{\"type\":\"array\",\"minItems\":999}}}"),
        Arguments.of("minLength", "{\"type\":\"string\",\"minLength\":1000000000000}"),
        Arguments.of("multipleOf", "{\"type\":\"integer\",\"multipleOf\":123456789123}"),
        Arguments.of("digits", "{\"type\":\"number\",\"minimum\":1e308}"),
        Arguments.of("small", "{\"type\":\"number\",\"minimum\":1e-300}"),
        Arguments.of("loop", "{\"$ref\":\"#\"}"),
        Arguments.of(
            "loop of two",
            "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}}}"),
        Arguments.of("endless", "{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"minItems\":1}"),
        Arguments.of("false", "false"),
        Arguments.of("contradiction", "{\"type\":\"string\",\"enum\":[1,2]}"),
        Arguments.of("missing", "{\"$ref\":\"#/$defs/nowhere\"}"),
        Arguments.of("remote", "{\"$ref\":\"http://example.com/x.json\"}"),
        Arguments.of("pattern", "{\"type\":\"string\",\"pattern\":\"(a{1000}){1000}\"}"),
        Arguments.of("pattern 2", "{\"type\":\"string\",\"pattern\":\"^[ab]*a[ab]{24}$\"}"),
        Arguments.of(
            "pattern and length",
            "{\"type\":\"string\",\"pattern\":\"^[a-z]*$\",\"maxLength\":2000000000}"),
        Arguments.of(
            "names",
            "{\"type\":\"object\",\"patternProperties\":{"
                + list(30, i -> "\"^.{" + i + "}a\":{\"minimum\":" + i + "}")
                + "}}"),
        Arguments.of("format", "{\"type\":\"string\",\"format\":\"iri\"}"),
        Arguments.of("unsure", "{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}"),
        Arguments.of("type", "{\"type\":\"int\"}"),
        Arguments.of("not a schema", "[1,2]"),
        Arguments.of("no JSON", "{\"type\":"),
        Arguments.of("negative", "{\"type\":\"array\",\"maxItems\":-1}"),
        Arguments.of("not", "{\"not\":{\"type\":\"string\"}}"));
  }

  static String list(int count, Function<Integer, String> item) {
    return IntStream.range(0, count).boxed().map(item).collect(Collectors.joining(","));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("schemas")
  void jsonSchema_hostile_isRefusedInOneSentence(String name, String schema) {
    Throwable refusal =
        Assertions.assertTimeout(
            Duration.ofSeconds(20), () -> catchThrowable(() -> compiler.jsonSchema(schema)));

    assertThat(refusal).as(name).isInstanceOf(GrammarException.class);
    assertThat(refusal.getMessage()).hasSizeLessThan(400).doesNotContain("\n");
  }

  static Stream<Arguments> largeButFine() {
    List<Arguments> all = new ArrayList<>();
    all.add(
        Arguments.of(
            "5,000 properties",
            "{\"type\":\"object\",\"properties\":{"
                + list(5_000, i -> "\"property " + i + "\":{\"type\":\"integer\"}")
                + "}}"));
    all.add(
        Arguments.of(
            "chain",
            "{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#/$defs/d0\"}},\"$defs\":{"
                + list(
                    3_000,
                    i ->
                        "\"d"
                            + i
                            + "\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/d"
                            + (i + 1)
                            + "\"}}")
                + ",\"d3000\":{}}}"));
    all.add(Arguments.of("ambiguous", ambiguous(18)));
    all.add(
        Arguments.of(
            "2,000 choices",
            "{\"enum\":[" + list(2_000, i -> "\"choice number " + i + "\"") + "]}"));
    all.add(Arguments.of("maxLength", "{\"type\":\"string\",\"maxLength\":2000000000}"));
    all.add(Arguments.of("unused", "{\"type\":\"null\",\"$defs\":{\"x\":{\"not\":{}}}}"));
    return all.stream();
  }

  /// Objects in which the branch shows only at the innermost value: twice as many at each level.
  private static String ambiguous(int depth) {
    StringBuilder defs = new StringBuilder("\"d0\":{\"type\":\"null\"}");
    for (int i = 1; i <= depth; i++) {
      String inner = "{\"$ref\":\"#/$defs/d" + (i - 1) + "\"}";
      defs.append(
          ",\"d" + i + "\":{\"anyOf\":[" + pair(inner, "b") + "," + pair(inner, "c") + "]}");
    }
    return "{\"$ref\":\"#/$defs/d" + depth + "\",\"$defs\":{" + defs + "}}";
  }

  private static String pair(String inner, String second) {
    return "{\"type\":\"object\",\"properties\":{\"a\":"
        + inner
        + ",\""
        + second
        + "\":{\"const\":1}},\"required\":[\"a\",\""
        + second
        + "\"]}";
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("largeButFine")
  void jsonSchema_large_compilesAndAnswers(String name, String schema) {
    TokenTrie trie = ToyVocabulary.trie();
    String text =
        Assertions.assertTimeout(
            Duration.ofSeconds(20),
            () ->
                RandomWalk.draw(
                    compiler.jsonSchema(schema).within(3_000).start(),
                    trie,
                    3_000,
                    new java.util.SplittableRandom(5)));

    assertThat(text).as(name).isNotNull();
  }

  @ParameterizedTest
  @org.junit.jupiter.params.provider.ValueSource(
      strings = {
        "(a{1000}){1000}",
        "(((a{30}){30}){30}){30}",
        "[ab]*a[ab]{30}",
        "(.*a){50}.*b.{40}",
        "a^b",
        "[^\\x00-\\uffff\\u{10000}-\\u{10ffff}]"
      })
  void regex_hostile_isRefusedInOneSentence(String pattern) {
    Throwable refusal =
        Assertions.assertTimeout(
            Duration.ofSeconds(20), () -> catchThrowable(() -> compiler.regex(pattern)));

    assertThat(refusal).as(pattern).isInstanceOf(GrammarException.class);
    assertThat(refusal.getMessage()).hasSizeLessThan(400).doesNotContain("\n");
  }

  @org.junit.jupiter.api.Test
  void mask_manyCountedAlternatives_isRefusedInOneSentenceInsteadOfStallingAStep() {
    String schema =
        "{\"anyOf\":["
            + list(
                500,
                i ->
                    "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":"
                        + (1_000 + i)
                        + "}")
            + "]}";
    List<byte @Nullable []> tokens = new ArrayList<>();
    IntStream.range(0, 256).forEach(b -> tokens.add(new byte[] {(byte) b}));
    IntStream.range(0, 1 << 18)
        .mapToObj(i -> new byte[] {letter(i >> 12), letter(i >> 6), letter(i)})
        .forEach(tokens::add);
    TokenConstraint answer =
        new GrammarCompiler(TokenTrie.of(tokens)).jsonSchema(schema).within(4).start();
    answer.accept('[');
    answer.accept('"');
    Throwable refusal =
        Assertions.assertTimeout(Duration.ofSeconds(20), () -> catchThrowable(answer::allowed));

    assertThat(refusal).isInstanceOf(GrammarException.class);
    assertThat(refusal.getMessage())
        .contains("alternatives")
        .hasSizeLessThan(400)
        .doesNotContain("\n");
  }

  private static byte letter(int i) {
    return (byte) ('@' + i % 64);
  }

  @org.junit.jupiter.api.Test
  void choice_hostile_isRefused() {
    assertThat(catchThrowable(() -> compiler.choice(List.of())))
        .isInstanceOf(GrammarException.class);
    assertThat(catchThrowable(() -> compiler.choice(List.of("x".repeat(1 << 21)))))
        .isInstanceOf(GrammarException.class);
    assertThat(catchThrowable(() -> compiler.choice(List.of("\uD800"))))
        .isInstanceOf(GrammarException.class);
  }
}
