package io.kvasir.engine.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Rules of JSON objects. All names of an object form one automaton, which every name is read with;
/// [KeyOrder] says which of them may come, so that the size does not grow with the number of
/// combinations.
final class ObjectRules {
  private final SchemaCompiler compiler;
  private final AutomatonBuilder builder;
  private final ObjectShape shape;
  private final KeyOrder order;
  private final List<String> names;

  /// The classes of free names, by the patterns that they match; their labels follow the names'.
  private final Map<Set<String>, Integer> classes = new LinkedHashMap<>();

  private final Map<Integer, Integer> valueStates = new HashMap<>();
  private final int rule;
  private final int end;

  private ObjectRules(SchemaCompiler compiler, Collection<Schema> facets, Constraints constraints) {
    this.compiler = compiler;
    this.builder = compiler.builder();
    this.shape =
        new ObjectShape(
            compiler.document(), compiler.strings(), facets, constraints.minProperties());
    this.names = List.copyOf(shape.named().keySet());
    boolean[] required = new boolean[names.size()];
    for (int k = 0; k < required.length; k++) {
      required[k] = shape.isRequired(names.get(k));
    }
    this.order = new KeyOrder(required, constraints.minProperties(), constraints.maxProperties());
    this.rule = builder.rule(order);
    this.end = builder.end(rule);
  }

  static int add(SchemaCompiler compiler, Collection<Schema> facets, Constraints constraints) {
    ObjectRules rules = new ObjectRules(compiler, facets, constraints);
    rules.build();
    return rules.rule;
  }

  private void build() {
    CharDfa keys = keys();
    int[] all = new int[names.size() + classes.size()];
    Arrays.setAll(all, k -> k);
    int any = builder.guard(order.oneOf(all));
    int close = builder.guard(order.close());
    int after = builder.state(rule);
    int open = builder.state(rule);
    int opened = builder.state(rule);
    int closing = builder.state(rule);
    builder.edge(builder.start(rule), '{', open);
    builder.edge(open, '}', '}', end, close);
    builder.call(open, compiler.space(), opened, any);
    builder.edge(after, '}', '}', end, close);
    builder.call(after, compiler.space(), closing, close);
    builder.edge(closing, '}', end);
    if (keys.isEmpty()) {
      return;
    }

    int root = builder.state(rule);
    int firstEdge = builder.edges();
    int[] states = ByteLowering.lower(builder, rule, root, keys, ByteLowering.Spelling.JSON);
    KeyStates within = new KeyStates(builder, root, firstEdge);
    int comma = builder.state(rule);
    int named = builder.state(rule);
    within.describe(order, all, labels(keys, states, root, within.size()));
    builder.edge(open, '"', '"', root, any);
    builder.edge(opened, '"', root);
    builder.edge(after, ',', ',', comma, any);
    builder.edge(comma, '"', root);
    builder.call(comma, compiler.space(), named, AutomatonBuilder.ALWAYS);
    builder.edge(named, '"', root);
    for (int s = 0; s < states.length; s++) {
      int label = keys.label(s);
      if (label != CharDfa.NO_LABEL) {
        boolean own = label < names.size();
        int guard = builder.guard(own ? order.take(label) : order.takeFree());
        builder.edge(states[s], '"', '"', valueState(label, after), guard);
      }
    }
  }

  /// The state behind the name with `label`, before its colon.
  private int valueState(int label, int after) {
    Integer known = valueStates.get(label);
    if (known != null) {
      return known;
    }
    int chosen = builder.state(rule);
    int colon = builder.state(rule);
    int spaced = builder.state(rule);
    valueStates.put(label, chosen);
    List<Schema> schemas;
    if (label < names.size()) {
      String name = names.get(label);
      schemas = shape.named().getOrDefault(name, List.of());
      int bytes = JsonText.quoted(name).getBytes(StandardCharsets.UTF_8).length;
      order.key(label, bytes, chosen);
    } else {
      schemas = shape.schemasOfFree(matchedBy(label));
      order.freeKey(label, chosen);
    }
    int value = compiler.value(schemas);
    builder.edge(chosen, ':', colon);
    builder.call(colon, value, after, AutomatonBuilder.ALWAYS);
    builder.edge(colon, ' ', spaced);
    builder.call(spaced, value, after, AutomatonBuilder.ALWAYS);
    return chosen;
  }

  private Set<String> matchedBy(int label) {
    for (Map.Entry<Set<String>, Integer> e : classes.entrySet()) {
      if (e.getValue() == label) {
        return e.getKey();
      }
    }
    throw new IllegalStateException("no names have label " + label);
  }

  /// The automaton of all names: a named property's number as label, or that of a class of others.
  private CharDfa keys() {
    Budget budget = builder.budget();
    CharDfa own = CharDfa.texts(names, budget);
    if (!shape.isOpen() && shape.patterns().isEmpty()) {
      return own;
    }
    List<String> patterns = List.copyOf(shape.patterns());
    List<CharDfa> parts = new ArrayList<>();
    parts.add(own);
    patterns.forEach(p -> parts.add(compiler.strings().anywhere(p)));
    parts.add(CharDfa.lengths(0, -1, budget));
    return CharDfa.product(parts, labels -> label(labels, patterns), false, budget);
  }

  private int label(int[] labels, List<String> patterns) {
    if (labels[0] != CharDfa.NO_LABEL) {
      return labels[0];
    }
    Set<String> matched = new LinkedHashSet<>();
    for (int p = 0; p < patterns.size(); p++) {
      if (labels[p + 1] != CharDfa.NO_LABEL) {
        matched.add(patterns.get(p));
      }
    }
    if (matched.isEmpty() && !shape.isOpen()
        || shape.schemasOfFree(matched).stream().anyMatch(Schema::isFalse)) {
      return CharDfa.NO_LABEL;
    }
    return classes.computeIfAbsent(matched, m -> names.size() + classes.size());
  }

  private static int[] labels(CharDfa keys, int[] states, int root, int size) {
    int[] labels = new int[size];
    Arrays.fill(labels, CharDfa.NO_LABEL);
    for (int s = 0; s < states.length; s++) {
      labels[states[s] - root] = keys.label(s);
    }
    return labels;
  }
}
