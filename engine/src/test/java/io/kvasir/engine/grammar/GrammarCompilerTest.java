package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.engine.TokenConstraint;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class GrammarCompilerTest {
  private final TokenTrie trie = ToyVocabulary.trie();
  private final GrammarCompiler compiler = new GrammarCompiler(trie);

  private static boolean matches(Grammar grammar, String text) {
    return grammar.matches(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void choice_severalTexts_allowsThoseOnly() {
    Grammar grammar = compiler.choice(List.of("yes", "no", "nó 😀", "yesterday"));

    assertThat(matches(grammar, "yes")).isTrue();
    assertThat(matches(grammar, "yesterday")).isTrue();
    assertThat(matches(grammar, "nó 😀")).isTrue();
    assertThat(matches(grammar, "yest")).isFalse();
    assertThat(matches(grammar, "")).isFalse();
    assertThat(matches(grammar, "no ")).isFalse();
  }

  @Test
  void choice_firstToken_isPrefixOfSomeChoice() {
    TokenConstraint constraint = compiler.choice(List.of("yes", "no")).start();

    long[] mask = constraint.allowed();

    assertThat(allowed(mask)).containsExactlyInAnyOrder("y", "n", "yes", "no");
    assertThat(constraint.mayEnd()).isFalse();
  }

  private List<String> allowed(long[] mask) {
    return java.util.stream.IntStream.range(0, trie.vocabularySize())
        .filter(t -> (mask[t >> 6] >> t & 1) != 0)
        .mapToObj(t -> new String(trie.bytesOf(t), StandardCharsets.UTF_8))
        .toList();
  }

  @Test
  void accept_tokenThatIsNotAllowed_throws() {
    TokenConstraint constraint = compiler.choice(List.of("yes", "no")).start();

    assertThatThrownBy(() -> constraint.accept('x')).hasMessageContaining("not allowed");
    assertThatThrownBy(() -> constraint.accept(trie.vocabularySize() - 1))
        .hasMessageContaining("no text");
  }

  @Test
  void regex_subset_matchesWhole() {
    Grammar grammar = compiler.regex("(foo|ba[rz])+\\d{2,3}");

    assertThat(matches(grammar, "foobar12")).isTrue();
    assertThat(matches(grammar, "baz123")).isTrue();
    assertThat(matches(grammar, "baz1")).isFalse();
    assertThat(matches(grammar, "xbaz12")).isFalse();
  }

  @Test
  void jsonSchema_object_keepsOrderAndRequired() {
    Grammar grammar =
        compiler.jsonSchema(
            """
            {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},
             "c":{"type":"null"}},"required":["b"]}\
            """);

    assertThat(matches(grammar, "{\"a\":1,\"b\":true,\"c\":null}")).isTrue();
    assertThat(matches(grammar, "{\n  \"b\": false\n}")).isTrue();
    assertThat(matches(grammar, "{\"a\":1}")).isFalse();
    assertThat(matches(grammar, "{\"b\":true,\"a\":1}")).isFalse();
    assertThat(matches(grammar, "{\"b\":true,\"d\":1}")).isFalse();
    assertThat(matches(grammar, "{\"b\":true,}")).isFalse();
    assertThat(matches(grammar, "{\"b\":true, }")).isFalse();
  }

  @Test
  void jsonSchema_recursive_nestsAndEnds() {
    Grammar grammar =
        compiler.jsonSchema(
            """
            {"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},
             "kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v","kids"]}},
             "$ref":"#/$defs/tree"}\
            """);

    assertThat(matches(grammar, "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]},{\"v\":3,\"kids\":[]}]}"))
        .isTrue();
    assertThat(matches(grammar, "{\"v\":1,\"kids\":[{\"v\":2}]}")).isFalse();
  }

  @Test
  void within_tightLimit_endsInTime() {
    Grammar grammar =
        compiler.jsonSchema(
            """
            {"type":"object","properties":{"name":{"type":"string"},"tags":{"type":"array",
             "items":{"type":"string","minLength":2},"minItems":2}},"required":["name","tags"]}\
            """);
    SplittableRandom random = new SplittableRandom(7);
    int least = (int) grammar.shortestBytes();

    for (int i = 0; i < 200; i++) {
      int limit = least + random.nextInt(60);
      String text = RandomWalk.draw(grammar.within(limit).start(), trie, limit, random);
      assertThat(text).as("limit %d", limit).isNotNull();
      assertThat(matches(grammar, Objects.requireNonNull(text))).as(text).isTrue();
    }
  }

  @Test
  void jsonSchema_unknownKeyword_isNamedWithItsPlace() {
    assertThatThrownBy(() ->
            compiler.jsonSchema("{\"properties\":{\"a/b\":{\"not\":{}}},\"type\":\"object\"}"))
        .isInstanceOfSatisfying(
            UnsupportedSchemaException.class,
            e -> {
              assertThat(e.keyword()).isEqualTo("not");
              assertThat(e.pointer()).isEqualTo("#/properties/a~1b");
            })
        .hasMessageContaining("\"not\"");
  }
}
