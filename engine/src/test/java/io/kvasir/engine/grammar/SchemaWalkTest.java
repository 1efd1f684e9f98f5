package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.harrel.jsonschema.Dialects;
import dev.harrel.jsonschema.FormatEvaluatorFactory;
import dev.harrel.jsonschema.Validator;
import dev.harrel.jsonschema.ValidatorFactory;
import io.kvasir.model.json.Json;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/// Draws answers at random under the masks of many schemas and has an independent validator judge
/// them.
class SchemaWalkTest {
  private static final long SEED = Long.getLong("kvasir.test.seed", 20_261_122L);

  private final List<String> wrong = new ArrayList<>();
  private int compiled;
  private int ended;
  private int cut;

  private static Predicate<String> validator(Json schema, boolean draft4) {
    Validator validator =
        new ValidatorFactory()
            .withDefaultDialect(
                draft4 ? new Dialects.Draft4Dialect() : new Dialects.Draft2020Dialect())
            .withEvaluatorFactory(new FormatEvaluatorFactory())
            .createValidator();
    URI uri = validator.registerSchema(schema.toText());
    return text -> validator.validate(uri, text).isValid();
  }

  @Test
  void walk_ownSchemas_everyAnswerIsValid() {
    for (TokenTrie trie :
        List.of(ToyVocabulary.trie(), TokenTrie.of(Resources.defaultTokenizer()))) {
      GrammarCompiler compiler = new GrammarCompiler(trie);
      for (Json entry : Resources.lines("schemas.jsonl")) {
        Json schema = entry.get("schema");
        walk(compiler.jsonSchema(schema), trie, schema, validator(schema, false));
      }
    }
    report(330);
  }

  @Test
  void walk_testSuite_everyAnswerIsValid() {
    TokenTrie trie = ToyVocabulary.trie();
    GrammarCompiler compiler = new GrammarCompiler(trie);
    int refused = 0;
    for (Json entry : Resources.lines("draft4-suite.jsonl")) {
      Grammar grammar;
      try {
        grammar = compiler.jsonSchema(entry.get("schema"));
      } catch (GrammarException e) {
        refused++;
        continue;
      }
      walk(grammar, trie, entry.get("schema"), validator(entry.get("schema"), true));
      for (Json instance : entry.get("invalid").asList()) {
        String text = JsonText.of(instance);
        if (grammar.matches(text.getBytes(StandardCharsets.UTF_8))) {
          wrong.add(entry.get("schema").toText() + " accepts " + text);
        }
      }
    }
    assertThat(refused).as("refused schemas of the suite").isLessThan(30);
    report(43);
  }

  @Test
  void walk_randomSchemas_everyAnswerIsValid() {
    TokenTrie trie = ToyVocabulary.trie();
    GrammarCompiler compiler = new GrammarCompiler(trie);
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < 300; i++) {
      Json schema = new RandomSchema(random.split()).next();
      Grammar grammar;
      try {
        grammar = compiler.jsonSchema(schema);
      } catch (GrammarException e) {
        assertThat(e.getMessage())
            .as(schema.toText())
            .containsAnyOf("no answer", "oneOf", "leads back");
        continue;
      }
      walk(grammar, trie, schema, validator(schema, false));
    }
    report(150);
  }

  private void walk(Grammar grammar, TokenTrie trie, Json schema, Predicate<String> valid) {
    compiled++;
    for (int run = 0; run < 6; run++) {
      SplittableRandom random = new SplittableRandom(SEED + 31L * compiled + run);
      int limit = (int) Math.min(2_000, grammar.shortestBytes() + random.nextInt(400));
      boolean soft = run % 2 == 0;
      String text =
          RandomWalk.draw(
              soft ? grammar.within(limit).start() : grammar.start(), trie, limit, random);
      if (text == null) {
        cut++;
        if (soft) {
          wrong.add(schema.toText() + " does not end within " + limit);
        }
        continue;
      }
      ended++;
      if (!valid.test(text)) {
        wrong.add(schema.toText() + " is not satisfied by " + text);
      }
      if (!grammar.matches(text.getBytes(StandardCharsets.UTF_8))) {
        wrong.add(schema.toText() + " refuses its own " + text);
      }
    }
  }

  private void report(int leastSchemas) {
    String counts =
        "seed " + SEED + ", " + compiled + " schemas, " + ended + " answers, " + cut + " cut";
    assertThat(wrong).as(counts).isEmpty();
    assertThat(compiled).as(counts).isGreaterThanOrEqualTo(leastSchemas);
    assertThat(ended).as(counts).isGreaterThan(4 * leastSchemas);
  }

  @Test
  void jsonObject_walk_everyAnswerIsAnObject() {
    TokenTrie trie = TokenTrie.of(Resources.defaultTokenizer());
    Grammar grammar = new GrammarCompiler(trie).jsonObject();
    for (int i = 0; i < 100; i++) {
      SplittableRandom random = new SplittableRandom(SEED + i);
      String text = RandomWalk.draw(grammar.within(100).start(), trie, 100, random);
      assertThat(text).as("seed %d", SEED + i).isNotNull().startsWith("{");
      assertThat(Json.parse(String.valueOf(text))).isInstanceOf(Json.Obj.class);
    }
  }

  @Test
  void matches_instancesOfOwnSchemas_acceptsAndRefusesAsListed() {
    GrammarCompiler compiler = new GrammarCompiler(ToyVocabulary.trie());
    int instances = 0;
    for (Json entry : Resources.lines("schemas.jsonl")) {
      Json schema = entry.get("schema");
      Grammar grammar = compiler.jsonSchema(schema);
      Predicate<String> valid = validator(schema, false);
      for (Json text : entry.get("accepts").asList()) {
        instances++;
        assertThat(valid.test(text.asString()))
            .as("%s is satisfied by %s", schema.toText(), text.asString())
            .isTrue();
        assertThat(grammar.matches(text.asString().getBytes(StandardCharsets.UTF_8)))
            .as("%s accepts %s", schema.toText(), text.asString())
            .isTrue();
      }
      for (Json text : entry.get("refuses").asList()) {
        instances++;
        assertThat(grammar.matches(text.asString().getBytes(StandardCharsets.UTF_8)))
            .as("%s refuses %s", schema.toText(), text.asString())
            .isFalse();
      }
    }
    assertThat(instances).isGreaterThan(400);
  }
}
