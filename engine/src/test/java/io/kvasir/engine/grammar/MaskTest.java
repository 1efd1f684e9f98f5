package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.model.json.Json;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Compares masks with what reading each token byte by byte says.
class MaskTest {
  private static final long SEED = Long.getLong("kvasir.test.seed", 20_261_122L);

  private final TokenTrie trie = ToyVocabulary.trie();

  @Test
  void allowed_anywhere_isWhatReadingEachTokenSays() {
    GrammarCompiler compiler = new GrammarCompiler(trie);
    List<Grammar> grammars = new ArrayList<>();
    for (Json entry : Resources.lines("schemas.jsonl")) {
      grammars.add(compiler.jsonSchema(entry.get("schema")));
    }
    grammars.add(compiler.regex("(ab|abc|é)*(yes|no)?\"?"));
    grammars.add(compiler.choice(List.of("yes", "no", "abc", "😀")));
    SplittableRandom random = new SplittableRandom(SEED);
    for (Grammar grammar : grammars) {
      compareAlongOneAnswer(grammar, random);
    }
  }

  private void compareAlongOneAnswer(Grammar grammar, SplittableRandom random) {
    TokenConstraint constraint = grammar.start();
    ByteArrayOutputStream before = new ByteArrayOutputStream();
    for (int step = 0; step < 12; step++) {
      long[] mask = constraint.allowed().clone();
      List<Integer> allowed = new ArrayList<>();
      for (int t = 0; t < trie.vocabularySize(); t++) {
        boolean expected = readable(grammar, before.toByteArray(), trie.bytesOf(t));
        boolean actual = (mask[t >> 6] >> t & 1) != 0;
        assertThat(actual)
            .as(
                "seed %d, token %s behind %s",
                SEED, new String(trie.bytesOf(t), StandardCharsets.UTF_8), before)
            .isEqualTo(expected);
        if (actual) {
          allowed.add(t);
        }
      }
      if (allowed.isEmpty()) {
        assertThat(constraint.mayEnd()).isTrue();
        return;
      }
      int token = allowed.get(random.nextInt(allowed.size()));
      constraint.accept(token);
      before.writeBytes(trie.bytesOf(token));
    }
  }

  private static boolean readable(Grammar grammar, byte[] before, byte[] token) {
    GrammarConstraint constraint = (GrammarConstraint) grammar.start();
    for (byte b : before) {
      constraint.acceptByte(b & 0xFF);
    }
    for (byte b : token) {
      if (!constraint.acceptByte(b & 0xFF)) {
        return false;
      }
    }
    return token.length > 0;
  }

  @Test
  void allowed_smallMaskCache_staysWithinItsBytes() {
    Grammar grammar = new GrammarCompiler(trie, 2_000).jsonObject();
    Grammar roomy = new GrammarCompiler(trie).jsonObject();
    SplittableRandom random = new SplittableRandom(SEED);
    TokenConstraint a = grammar.start();
    TokenConstraint b = roomy.start();
    for (int i = 0; i < 200; i++) {
      assertThat(a.allowed()).isEqualTo(b.allowed());
      assertThat(grammar.maskBytes()).isLessThanOrEqualTo(2_000);
      int token = random.nextInt(trie.vocabularySize());
      if ((a.allowed()[token >> 6] >> token & 1) != 0) {
        a.accept(token);
        b.accept(token);
      }
    }
  }

  @Test
  void allowed_vocabularyWithoutSomeBytes_neverEndsDead() {
    // No digits but 0, 7 and 8, no upper case, nothing beyond ASCII.
    List<byte @Nullable []> tokens = new ArrayList<>();
    for (char c : "{}[]\":,078abcdefghijklmnopqrstuvwxyz\\ ".toCharArray()) {
      tokens.add(new byte[] {(byte) c});
    }
    tokens.add("12".getBytes(StandardCharsets.UTF_8));
    tokens.add("é".getBytes(StandardCharsets.UTF_8));
    TokenTrie poor = TokenTrie.of(tokens);
    Grammar grammar =
        new GrammarCompiler(poor)
            .jsonSchema(
                """
                {"type":"object","properties":{"X":{"type":"null"},"n":{"enum":[1,78,9]},
                 "d":{"type":"string","pattern":"^[é0-9]+$"},
                 "s":{"type":"string"},"a":{"type":"array"}},"required":["n","a"]}\
                """);
    for (int i = 0; i < 300; i++) {
      RandomWalk.draw(grammar.start(), poor, 60, new SplittableRandom(SEED + i));
    }
    int shortest = "{\"n\":78,\"a\":[]}".length();
    assertThat(grammar.shortestBytes()).isBetween((long) shortest, shortest + 1L);
  }
}
