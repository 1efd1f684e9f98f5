package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What several schemas that must hold together say about the properties of an object.
///
/// Where none of them mentions `additionalProperties`, an object with named properties gets no
/// others: a subset of what the schema allows, and what its author meant.
final class ObjectShape {
  private final SchemaDocument document;
  private final StringLanguages strings;
  private final Collection<Schema> facets;
  private final Map<String, List<Schema>> named = new LinkedHashMap<>();
  private final Set<String> required = new LinkedHashSet<>();
  private final Set<String> patterns = new LinkedHashSet<>();
  private final boolean open;

  ObjectShape(
      SchemaDocument document,
      StringLanguages strings,
      Collection<Schema> facets,
      long minProperties) {
    this.document = document;
    this.strings = strings;
    this.facets = facets;
    Set<String> names = new LinkedHashSet<>();
    boolean explicit = false;
    for (Schema schema : facets) {
      names.addAll(schema.map("properties").keySet());
      patterns.addAll(schema.map("patternProperties").keySet());
      explicit |= schema.has("additionalProperties");
      for (Json name : schema.list("required")) {
        if (!(name instanceof Json.Str(String text))) {
          throw schema.unsupported("required", "is no list of strings");
        }
        required.add(text);
      }
    }
    names.addAll(required);
    for (String name : names) {
      named.put(name, schemasOf(name, matching(name)));
    }
    open = explicit || names.isEmpty() && patterns.isEmpty() || minProperties > names.size();
  }

  /// The named properties in the order of the schemas, each with the schemas of its value.
  Map<String, List<Schema>> named() {
    return named;
  }

  boolean isRequired(String name) {
    return required.contains(name);
  }

  Set<String> required() {
    return required;
  }

  /// The patterns of names.
  Set<String> patterns() {
    return patterns;
  }

  /// Whether names may come that match no pattern.
  boolean isOpen() {
    return open;
  }

  /// Whether `name` may be written at all.
  boolean mayHold(String name) {
    return named.containsKey(name) || open || !matching(name).isEmpty();
  }

  /// The schemas that a value under `name` satisfies, whether it is a named property or not.
  List<Schema> schemasOf(String name) {
    return schemasOf(name, matching(name));
  }

  /// The schemas of the value of a name that no schema lists and that matches just the patterns
  /// `matched`.
  List<Schema> schemasOfFree(Set<String> matched) {
    return schemasOf(null, matched);
  }

  private Set<String> matching(String name) {
    Set<String> matched = new LinkedHashSet<>();
    for (String pattern : patterns) {
      if (strings.anywhere(pattern).match(name) != CharDfa.NO_LABEL) {
        matched.add(pattern);
      }
    }
    return matched;
  }

  private List<Schema> schemasOf(
      @org.jspecify.annotations.Nullable String name, Set<String> matched) {
    List<Schema> out = new ArrayList<>();
    for (Schema schema : facets) {
      boolean mentioned = false;
      Json own = name == null ? null : schema.map("properties").get(name);
      if (own != null && name != null) {
        out.add(document.child(schema, "properties", name, own));
        mentioned = true;
      }
      for (Map.Entry<String, Json> e : schema.map("patternProperties").entrySet()) {
        if (matched.contains(e.getKey())) {
          out.add(document.child(schema, "patternProperties", e.getKey(), e.getValue()));
          mentioned = true;
        }
      }
      if (!mentioned && schema.has("additionalProperties")) {
        out.add(document.child(schema, "additionalProperties"));
      }
    }
    return out;
  }
}
