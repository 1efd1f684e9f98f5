package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;

class GrammarCacheTest {
  private final GrammarCompiler compiler = new GrammarCompiler(ToyVocabulary.trie());

  @Test
  void get_sameSource_returnsSameGrammar() {
    GrammarCache cache = new GrammarCache(compiler, 10 << 20);

    assertThat(cache.regex("a+")).isSameAs(cache.regex("a+"));
    assertThat(cache.choice(List.of("a", "b"))).isSameAs(cache.choice(List.of("a", "b")));
    assertThat(cache.jsonObject()).isSameAs(cache.jsonSchema("{\"type\":\"object\"}"));
    assertThat(cache.jsonSchema(Json.parse("{\"type\":\"object\"}"))).isSameAs(cache.jsonObject());
    assertThat(cache.choice(List.of("a, b"))).isNotSameAs(cache.choice(List.of("a", "b")));
    assertThat(cache.size()).isEqualTo(4);
  }

  @Test
  void get_sameTextOfOtherKind_isAnotherGrammar() {
    GrammarCache cache = new GrammarCache(compiler, 10 << 20);

    assertThat(cache.regex("true")).isNotSameAs(cache.jsonSchema("true"));
  }

  @Test
  void get_full_forgetsLeastRecentlyUsed() {
    Grammar first = compiler.regex("[ab]{50}");
    GrammarCache cache = new GrammarCache(compiler, 5 * first.bytes());
    Grammar kept = cache.regex("kept[ab]{40}");
    for (int i = 0; i < 40; i++) {
      cache.regex(i + "[ab]{50}");
      assertThat(cache.regex("kept[ab]{40}")).isSameAs(kept);
      assertThat(cache.bytes()).isLessThanOrEqualTo(5 * first.bytes());
    }
    assertThat(cache.size()).isBetween(2, 5);
  }

  @Test
  void get_masksGrow_countTowardsTheBound() {
    GrammarCache cache = new GrammarCache(compiler, 10 << 20);
    Grammar grammar = cache.jsonObject();
    long before = cache.bytes();

    grammar.start().allowed();

    assertThat(cache.bytes()).isGreaterThan(before);
  }
}
