package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Resolves `$ref`, `allOf`, `anyOf` and `oneOf`: several schemas that must hold together become a
/// list of alternatives, each a set of schemas of which only the other keywords still count.
final class Alternatives {
  private static final int MAX_ALTERNATIVES = 512;
  private static final int MAX_DEPTH = 200;

  private final SchemaDocument document;
  private final Budget budget;

  Alternatives(SchemaDocument document, Budget budget) {
    this.document = document;
    this.budget = budget;
  }

  /// One way to satisfy the schemas.
  ///
  /// @param facets the schemas whose plain keywords must all hold
  /// @param excluded schemas that must not hold: the other branches of `oneOf`
  record Alternative(Set<Schema> facets, List<Excluded> excluded) {}

  /// A branch of a `oneOf` that was not taken.
  record Excluded(Schema branch, Schema owner) {}

  /// A schema that is still to be looked at, with those that led to it, which it must not be.
  private record Todo(Schema schema, @Nullable Todo from) {
    Todo {
      for (Todo t = from; t != null; t = t.from) {
        if (t.schema.id() == schema.id()) {
          throw schema.unsupported("$ref", "leads back to itself without a value between");
        }
      }
    }
  }

  /// The ways to satisfy all of `schemas`; none where that is impossible.
  List<Alternative> of(Iterable<Schema> schemas) {
    List<Todo> todo = new ArrayList<>();
    for (Schema schema : schemas) {
      todo.add(new Todo(schema, null));
    }
    List<Alternative> out = new ArrayList<>();
    expand(todo, new LinkedHashSet<>(), new ArrayList<>(), out, 0);
    return out;
  }

  private void expand(
      List<Todo> start,
      Set<Schema> facets,
      List<Excluded> excluded,
      List<Alternative> out,
      int depth) {
    List<Todo> todo = new ArrayList<>(start);
    while (!todo.isEmpty()) {
      Todo next = todo.removeFirst();
      Schema schema = next.schema;
      budget.work(1 + facets.size());
      if (schema.isFalse()) {
        return;
      }
      if (schema.isTrue() || !facets.add(schema)) {
        continue;
      }
      if (facets.size() > MAX_ALTERNATIVES) {
        throw schema.unsupported("$ref", "joins more than " + MAX_ALTERNATIVES + " schemas");
      }
      if (schema.has("$ref")) {
        todo.add(new Todo(document.reference(schema), next));
      }
      branches(schema, "allOf").forEach(s -> todo.add(new Todo(s, next)));
      if (schema.has("anyOf") || schema.has("oneOf")) {
        branch(next, todo, facets, excluded, out, depth);
        return;
      }
    }
    if (out.size() >= MAX_ALTERNATIVES) {
      throw new GrammarException(
          "the schema combines its branches in more than " + MAX_ALTERNATIVES + " ways");
    }
    out.add(new Alternative(facets, excluded));
  }

  private void branch(
      Todo at,
      List<Todo> todo,
      Set<Schema> facets,
      List<Excluded> excluded,
      List<Alternative> out,
      int depth) {
    Schema schema = at.schema;
    if (depth > MAX_DEPTH) {
      throw schema.unsupported(
          schema.has("anyOf") ? "anyOf" : "oneOf", "is nested deeper than " + MAX_DEPTH);
    }
    List<Schema> any = branches(schema, "anyOf");
    List<Schema> one = branches(schema, "oneOf");
    for (Schema a : schema.has("anyOf") ? any : List.of(schema)) {
      for (Schema b : schema.has("oneOf") ? one : List.of(schema)) {
        List<Todo> rest = new ArrayList<>(todo);
        List<Excluded> others = new ArrayList<>(excluded);
        if (a.id() != schema.id()) {
          rest.add(new Todo(a, at));
        }
        if (b.id() != schema.id()) {
          rest.add(new Todo(b, at));
          one.stream()
              .filter(s -> s.id() != b.id())
              .forEach(s -> others.add(new Excluded(s, schema)));
        }
        budget.work(10L + rest.size() + others.size() + facets.size());
        expand(rest, new LinkedHashSet<>(facets), others, out, depth + 1);
      }
    }
  }

  private List<Schema> branches(Schema schema, String keyword) {
    List<Json> items = schema.list(keyword);
    List<Schema> out = new ArrayList<>();
    for (int i = 0; i < items.size(); i++) {
      out.add(document.child(schema, keyword, Integer.toString(i), items.get(i)));
    }
    return out;
  }
}
