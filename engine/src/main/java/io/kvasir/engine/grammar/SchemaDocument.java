package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A JSON Schema document: finds the schemas in it by pointer and refuses keywords whose meaning
/// cannot be guaranteed.
final class SchemaDocument {
  private static final Set<String> MEANINGFUL =
      Set.of(
          "type",
          "nullable",
          "enum",
          "const",
          "$ref",
          "allOf",
          "anyOf",
          "oneOf",
          "properties",
          "required",
          "additionalProperties",
          "patternProperties",
          "minProperties",
          "maxProperties",
          "items",
          "prefixItems",
          "additionalItems",
          "minItems",
          "maxItems",
          "uniqueItems",
          "minLength",
          "maxLength",
          "pattern",
          "format",
          "minimum",
          "maximum",
          "exclusiveMinimum",
          "exclusiveMaximum",
          "multipleOf");
  private static final Set<String> IGNORED =
      Set.of(
          "title",
          "description",
          "default",
          "examples",
          "example",
          "deprecated",
          "readOnly",
          "writeOnly",
          "$comment",
          "$schema",
          "$defs",
          "definitions",
          "discriminator");

  private final Json root;
  private final Map<String, Schema> byPointer = new HashMap<>();

  SchemaDocument(Json root) {
    this.root = root;
  }

  Schema root() {
    return intern(root, "#");
  }

  /// The schema under `keyword` of `parent`.
  Schema child(Schema parent, String keyword) {
    Json json = parent.get(keyword);
    if (json == null) {
      throw new IllegalArgumentException("no " + keyword + " at " + parent.pointer());
    }
    return intern(json, parent.pointer() + "/" + escape(keyword));
  }

  /// The schema under `name` in the object or list under `keyword` of `parent`.
  Schema child(Schema parent, String keyword, String name, Json json) {
    return intern(json, parent.pointer() + "/" + escape(keyword) + "/" + escape(name));
  }

  /// The schema that `$ref` of `schema` names.
  Schema reference(Schema schema) {
    String ref = schema.text("$ref");
    if (!ref.equals("#") && !ref.startsWith("#/")) {
      throw schema.unsupported("$ref", "names \"" + ref + "\", which is not in this document");
    }
    Json at = root;
    StringBuilder pointer = new StringBuilder("#");
    String[] parts = ref.equals("#") ? new String[0] : ref.substring(2).split("/", -1);
    for (String part : parts) {
      String name = decoded(part, schema).replace("~1", "/").replace("~0", "~");
      Json next = null;
      if (at instanceof Json.Obj(Map<String, Json> fields)) {
        next = fields.get(name);
      } else if (at instanceof Json.Arr(List<Json> items) && name.matches("[0-9]{1,6}")) {
        int index = Integer.parseInt(name);
        next = index < items.size() ? items.get(index) : null;
      }
      if (next == null) {
        throw schema.unsupported("$ref", "names \"" + ref + "\", which does not exist");
      }
      at = next;
      pointer.append('/').append(escape(name));
    }
    return intern(at, pointer.toString());
  }

  private static String decoded(String part, Schema schema) {
    if (part.indexOf('%') < 0) {
      return part;
    }
    try {
      return java.net.URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      throw schema.unsupported("$ref", "holds a malformed % escape");
    }
  }

  private static String escape(String name) {
    return name.replace("~", "~0").replace("/", "~1");
  }

  private Schema intern(Json json, String pointer) {
    Schema known = byPointer.get(pointer);
    if (known != null) {
      return known;
    }
    Schema schema = new Schema(json, pointer, byPointer.size());
    check(schema);
    byPointer.put(pointer, schema);
    return schema;
  }

  private static void check(Schema schema) {
    if (!(schema.json() instanceof Json.Obj) && !(schema.json() instanceof Json.Bool)) {
      throw new GrammarException(
          "the schema at " + schema.pointer() + " is neither an object nor true or false");
    }
    for (String keyword : schema.fields().keySet()) {
      boolean known = MEANINGFUL.contains(keyword) || IGNORED.contains(keyword);
      boolean rootId =
          (keyword.equals("$id") || keyword.equals("id")) && schema.pointer().equals("#");
      if (!known && !rootId && !keyword.startsWith("x-")) {
        throw schema.unsupported(keyword, "is not supported");
      }
    }
    if (schema.get("uniqueItems") instanceof Json.Bool(boolean unique)
        && unique
        && schema.count("maxItems", Long.MAX_VALUE) > 1) {
      throw schema.unsupported("uniqueItems", "cannot be guaranteed; only false is supported");
    }
  }
}
