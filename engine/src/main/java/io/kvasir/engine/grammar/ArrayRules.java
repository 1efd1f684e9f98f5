package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/// Rules of JSON arrays: the items of `prefixItems` one by one, then a loop that counts.
final class ArrayRules {
  private final SchemaCompiler compiler;
  private final AutomatonBuilder builder;
  private final Collection<Schema> facets;
  private final long min;
  private final long max;
  private final int rule;
  private final int end;

  private ArrayRules(SchemaCompiler compiler, Collection<Schema> facets, Constraints constraints) {
    this.compiler = compiler;
    this.builder = compiler.builder();
    this.facets = facets;
    this.min = constraints.minItems();
    this.max = constraints.maxItems();
    this.rule = builder.rule(Counting.NONE);
    this.end = builder.end(rule);
  }

  static int add(SchemaCompiler compiler, Collection<Schema> facets, Constraints constraints) {
    ArrayRules rules = new ArrayRules(compiler, facets, constraints);
    rules.build();
    return rules.rule;
  }

  private void build() {
    int listed = 0;
    for (Schema schema : facets) {
      listed = Math.max(listed, prefix(schema).size());
    }
    int prefix = (int) Math.min(listed, max);
    int items = compiler.value(schemasAt(listed));
    long restMin = Math.max(0, min - prefix);
    long restMax = max == Repetition.UNBOUNDED ? max : max - prefix;
    Repetition count = new Repetition(restMin, restMax, items);
    builder.counting(rule, count);
    int one = builder.guard(count.one());
    int enough = builder.guard(count.enough());
    int open = builder.state(rule);
    builder.edge(builder.start(rule), '[', open);
    if (min == 0) {
      builder.edge(open, ']', end);
    }
    int next = spaced(open);
    int after = open;
    for (int i = 0; i < prefix; i++) {
      after = builder.state(rule);
      int item = compiler.value(schemasAt(i));
      builder.call(open, item, after, AutomatonBuilder.ALWAYS);
      builder.call(next, item, after, AutomatonBuilder.ALWAYS);
      if (i + 1 < prefix) {
        if (i + 1 >= min) {
          close(after, AutomatonBuilder.ALWAYS);
        }
        open = builder.state(rule);
        builder.edge(after, ',', open);
        next = spaced(open);
      }
    }
    if (prefix == 0) {
      after = builder.state(rule);
      if (max > 0) {
        builder.call(open, items, after, one);
        builder.call(next, items, after, one);
      }
    }
    close(after, enough);
    if (restMax > 0) {
      int comma = builder.state(rule);
      builder.edge(after, ',', ',', comma, one);
      builder.call(comma, items, after, AutomatonBuilder.ALWAYS);
      builder.call(spaced(comma), items, after, AutomatonBuilder.ALWAYS);
    }
  }

  /// Lets the array end in `state`, also behind white space.
  private void close(int state, int guard) {
    builder.edge(state, ']', ']', end, guard);
    int closing = builder.state(rule);
    builder.call(state, compiler.space(), closing, guard);
    builder.edge(closing, ']', end);
  }

  /// A state behind white space that follows `state`.
  private int spaced(int state) {
    int behind = builder.state(rule);
    builder.call(state, compiler.space(), behind, AutomatonBuilder.ALWAYS);
    return behind;
  }

  private static List<Json> prefix(Schema schema) {
    return schema.get("items") instanceof Json.Arr(List<Json> items)
        ? items
        : schema.list("prefixItems");
  }

  private List<Schema> schemasAt(int index) {
    List<Schema> out = new ArrayList<>();
    for (Schema schema : facets) {
      List<Json> prefix = prefix(schema);
      boolean old = schema.get("items") instanceof Json.Arr;
      String rest = old ? "additionalItems" : "items";
      if (index < prefix.size()) {
        String keyword = old ? "items" : "prefixItems";
        out.add(
            compiler.document().child(schema, keyword, Integer.toString(index), prefix.get(index)));
      } else if (schema.has(rest)) {
        out.add(compiler.document().child(schema, rest));
      }
    }
    return out;
  }
}
