package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Turns a JSON Schema into rules of an automaton: one for each set of schemas that must hold
/// together at some place, so that recursion becomes a rule that calls itself.
///
/// Values are written without freedom in the order of properties, with little freedom in white
/// space; what is written always satisfies the schema, while not all that satisfies it can be
/// written.
final class SchemaCompiler {
  private static final int MAX_INDENT = 32;

  private final AutomatonBuilder builder;
  private final SchemaDocument document;
  private final Alternatives alternatives;
  private final StringLanguages strings;
  private final Exclusion exclusion;
  private final Map<List<Integer>, Integer> valueRules = new HashMap<>();
  private final Map<Object, Integer> partRules = new HashMap<>();
  private final ArrayDeque<Runnable> jobs = new ArrayDeque<>();
  private int space = -1;

  SchemaCompiler(AutomatonBuilder builder, Json schema) {
    this.builder = builder;
    this.document = new SchemaDocument(schema);
    this.alternatives = new Alternatives(document, builder.budget());
    this.strings = new StringLanguages(builder.budget());
    this.exclusion = new Exclusion(document, alternatives, strings, builder.budget());
  }

  /// Adds all rules and returns that of the whole schema.
  int compile() {
    int rule = value(List.of(document.root()));
    while (!jobs.isEmpty()) {
      jobs.remove().run();
    }
    return rule;
  }

  AutomatonBuilder builder() {
    return builder;
  }

  SchemaDocument document() {
    return document;
  }

  StringLanguages strings() {
    return strings;
  }

  /// The rule of a value that satisfies all of `schemas`. Its states come later.
  int value(Collection<Schema> schemas) {
    List<Integer> key = ids(schemas);
    Integer known = valueRules.get(key);
    if (known != null) {
      return known;
    }
    int rule = builder.rule(Counting.NONE);
    valueRules.put(key, rule);
    List<Schema> copy = List.copyOf(schemas);
    jobs.add(() -> fill(rule, copy));
    return rule;
  }

  private static List<Integer> ids(Collection<Schema> schemas) {
    TreeSet<Integer> ids = new TreeSet<>();
    for (Schema schema : schemas) {
      if (!schema.isTrue()) {
        ids.add(schema.id());
      }
    }
    return List.copyOf(ids);
  }

  private void fill(int rule, List<Schema> schemas) {
    int end = builder.end(rule);
    TreeSet<Integer> parts = new TreeSet<>();
    for (Alternatives.Alternative alternative : alternatives.of(schemas)) {
      exclusion.check(alternative);
      parts.addAll(parts(alternative.facets()));
    }
    for (int part : parts) {
      builder.call(builder.start(rule), part, end, AutomatonBuilder.ALWAYS);
    }
  }

  private List<Integer> parts(Collection<Schema> facets) {
    Constraints constraints = new Constraints(facets);
    List<Json> values = constraints.values();
    List<Integer> rules = new ArrayList<>();
    if (values != null) {
      List<String> texts = new ArrayList<>();
      for (Json value : values) {
        if (constraints.admits(value, strings)) {
          texts.add(JsonText.of(value));
        }
      }
      if (!texts.isEmpty()) {
        rules.add(texts(texts));
      }
      return rules;
    }
    if (constraints.has(Constraints.NULL)) {
      rules.add(texts(List.of("null")));
    }
    if (constraints.has(Constraints.BOOLEAN)) {
      rules.add(texts(List.of("true", "false")));
    }
    if (constraints.has(Constraints.INTEGER | Constraints.FRACTIONAL)) {
      rules.add(number(constraints));
    }
    if (constraints.has(Constraints.STRING) && constraints.minLength() <= constraints.maxLength()) {
      rules.add(string(constraints));
    }
    if (constraints.has(Constraints.ARRAY) && constraints.minItems() <= constraints.maxItems()) {
      rules.add(
          partRules.computeIfAbsent(
              List.of("array", ids(facets)), k -> ArrayRules.add(this, facets, constraints)));
    }
    if (constraints.has(Constraints.OBJECT)
        && constraints.minProperties() <= constraints.maxProperties()) {
      rules.add(
          partRules.computeIfAbsent(
              List.of("object", ids(facets)), k -> ObjectRules.add(this, facets, constraints)));
    }
    return rules;
  }

  /// The rule of one of `texts`.
  int texts(List<String> texts) {
    return partRules.computeIfAbsent(
        List.of("texts", texts), k -> language(CharDfa.texts(texts, builder.budget())));
  }

  private int number(Constraints c) {
    boolean whole = !c.has(Constraints.FRACTIONAL) || !c.factors().isEmpty();
    Object key = List.of("number", whole, c.range(), c.factors(), c.places());
    return partRules.computeIfAbsent(
        key,
        k ->
            language(
                whole
                    ? NumberTexts.integers(c.range(), c.factors(), builder.budget())
                    : NumberTexts.decimals(c.range(), c.places(), builder.budget())));
  }

  private int language(CharDfa dfa) {
    int rule = builder.rule(Counting.NONE);
    int[] states =
        ByteLowering.lower(builder, rule, builder.start(rule), dfa, ByteLowering.Spelling.PLAIN);
    for (int s = 0; s < states.length; s++) {
      if (dfa.label(s) != CharDfa.NO_LABEL) {
        builder.accept(states[s], AutomatonBuilder.ALWAYS);
      }
    }
    return rule;
  }

  private int string(Constraints c) {
    if (StringLanguages.onlyLength(c)) {
      return partRules.computeIfAbsent(
          List.of("string", c.minLength(), c.maxLength()),
          k -> StringRules.anyOfLength(builder, c.minLength(), c.maxLength()));
    }
    return partRules.computeIfAbsent(
        List.of("string", c.minLength(), c.maxLength(), c.patterns(), c.formats()),
        k -> StringRules.of(builder, strings.strings(c)));
  }

  /// The rule of white space that is not empty: a space, or a line end and an indentation.
  int space() {
    if (space < 0) {
      Repetition indent = new Repetition(0, MAX_INDENT, -1);
      space = builder.rule(indent);
      int one = builder.guard(indent.one());
      builder.edge(builder.start(space), ' ', builder.end(space));
      int line = builder.end(space);
      builder.edge(builder.start(space), '\n', line);
      builder.edge(line, ' ', ' ', line, one);
      builder.edge(line, '\t', '\t', line, one);
    }
    return space;
  }
}
