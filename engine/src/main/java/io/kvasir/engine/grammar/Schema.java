package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One schema of a document: an object or a truth value.
///
/// @param json what the document holds
/// @param pointer its JSON pointer as a URI fragment, `#` for the root
/// @param id its number, in the order in which schemas were met
record Schema(Json json, String pointer, int id) {

  /// Whether everything satisfies it.
  boolean isTrue() {
    return json instanceof Json.Bool(boolean value) ? value : fields().isEmpty();
  }

  boolean isFalse() {
    return json instanceof Json.Bool(boolean value) && !value;
  }

  Map<String, Json> fields() {
    return json instanceof Json.Obj(Map<String, Json> fields) ? fields : Map.of();
  }

  boolean has(String keyword) {
    return fields().containsKey(keyword);
  }

  @Nullable Json get(String keyword) {
    return fields().get(keyword);
  }

  UnsupportedSchemaException unsupported(String keyword, String why) {
    return new UnsupportedSchemaException(keyword, pointer, why);
  }

  /// The number of a count keyword, or `fallback`.
  long count(String keyword, long fallback) {
    Json value = get(keyword);
    if (value == null) {
      return fallback;
    }
    try {
      long count = value.asLong();
      if (count >= 0) {
        return count;
      }
    } catch (io.kvasir.model.json.JsonException e) {
      // said below
    }
    throw unsupported(keyword, "is no count");
  }

  List<Json> list(String keyword) {
    Json value = get(keyword);
    if (value == null) {
      return List.of();
    }
    if (value instanceof Json.Arr(List<Json> items)) {
      return items;
    }
    throw unsupported(keyword, "is no array");
  }

  Map<String, Json> map(String keyword) {
    Json value = get(keyword);
    if (value == null) {
      return Map.of();
    }
    if (value instanceof Json.Obj(Map<String, Json> fields)) {
      return fields;
    }
    throw unsupported(keyword, "is no object");
  }

  String text(String keyword) {
    if (get(keyword) instanceof Json.Str(String value)) {
      return value;
    }
    throw unsupported(keyword, "is no string");
  }
}
