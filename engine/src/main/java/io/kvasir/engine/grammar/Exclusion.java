package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Proves for `oneOf` that what is written for one branch never satisfies another. Where no proof
/// is found the schema is refused, since then no guarantee could be given.
final class Exclusion {
  private static final int MAX_DEPTH = 3;

  private final SchemaDocument document;
  private final Alternatives alternatives;
  private final StringLanguages strings;
  private final Budget budget;

  Exclusion(
      SchemaDocument document, Alternatives alternatives, StringLanguages strings, Budget budget) {
    this.document = document;
    this.alternatives = alternatives;
    this.strings = strings;
    this.budget = budget;
  }

  /// Checks the branches of `oneOf` that `alternative` did not take.
  ///
  /// @throws UnsupportedSchemaException where one of them might hold as well
  void check(Alternatives.Alternative alternative) {
    for (Alternatives.Excluded excluded : alternative.excluded()) {
      for (Alternatives.Alternative other : alternatives.of(List.of(excluded.branch()))) {
        if (!apart(alternative.facets(), other.facets(), 0)) {
          throw excluded
              .owner()
              .unsupported(
                  "oneOf",
                  "has branches of which two might hold at once, such as "
                      + excluded.branch().pointer()
                      + "; anyOf says that this is no matter");
        }
      }
    }
  }

  /// Whether no value that is written for `mine` satisfies `other`.
  private boolean apart(Set<Schema> mine, Set<Schema> other, int depth) {
    budget.work(50L + mine.size() + other.size());
    Constraints a = new Constraints(mine);
    Constraints b = new Constraints(other);
    List<Json> values = a.values();
    List<Json> others = b.values();
    if (values != null || others != null) {
      return valuesApart(a, b);
    }
    int shared = a.types() & b.types();
    if ((shared & (Constraints.NULL | Constraints.BOOLEAN)) != 0) {
      return false;
    }
    if ((shared & (Constraints.INTEGER | Constraints.FRACTIONAL)) != 0
        && !a.range().misses(b.range())) {
      return false;
    }
    if ((shared & Constraints.STRING) != 0 && !stringsApart(a, b)) {
      return false;
    }
    if ((shared & Constraints.ARRAY) != 0
        && a.maxItems() >= b.minItems()
        && b.maxItems() >= a.minItems()) {
      return false;
    }
    return (shared & Constraints.OBJECT) == 0 || objectsApart(mine, a, other, b, depth);
  }

  private boolean valuesApart(Constraints a, Constraints b) {
    List<Json> values = a.values();
    List<Json> others = b.values();
    if (values != null && others != null) {
      Set<Object> mine = new LinkedHashSet<>();
      values.forEach(v -> mine.add(Constraints.canonical(v)));
      return others.stream().noneMatch(v -> mine.contains(Constraints.canonical(v)));
    }
    List<Json> listed = values == null ? others : values;
    Constraints against = values == null ? a : b;
    return listed == null || listed.stream().noneMatch(v -> against.admits(v, strings));
  }

  private boolean stringsApart(Constraints a, Constraints b) {
    if (a.maxLength() < b.minLength() || b.maxLength() < a.minLength()) {
      return true;
    }
    if (StringLanguages.onlyLength(a) || StringLanguages.onlyLength(b)) {
      return false;
    }
    return CharDfa.intersection(List.of(strings.strings(a), strings.strings(b)), budget).isEmpty();
  }

  private boolean objectsApart(
      Set<Schema> mine, Constraints a, Set<Schema> other, Constraints b, int depth) {
    ObjectShape left = new ObjectShape(document, strings, mine, a.minProperties());
    ObjectShape right = new ObjectShape(document, strings, other, b.minProperties());
    for (String name : right.required()) {
      if (!left.mayHold(name)) {
        return true;
      }
    }
    if (depth >= MAX_DEPTH) {
      return false;
    }
    Set<String> certain = new LinkedHashSet<>(left.required());
    certain.addAll(right.required());
    for (String name : certain) {
      if (valuesApart(left.schemasOf(name), right.schemasOf(name), depth)) {
        return true;
      }
    }
    return false;
  }

  private boolean valuesApart(List<Schema> mine, List<Schema> other, int depth) {
    for (Alternatives.Alternative a : alternatives.of(mine)) {
      for (Alternatives.Alternative b : alternatives.of(other)) {
        if (!apart(a.facets(), b.facets(), depth + 1)) {
          return false;
        }
      }
    }
    return true;
  }
}
