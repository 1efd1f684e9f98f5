package io.kvasir.server;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The fields of a request's body. A null counts as absent; a wrong type or range is refused with
/// the field's name. Remembers which fields were asked for: the others are unknown.
final class Fields {
  private static final int SHOWN = 60;

  private final ObjectNode body;
  private final Set<String> known = new HashSet<>();

  Fields(ObjectNode body) {
    this.body = body;
  }

  ObjectNode body() {
    return body;
  }

  /// Marks fields as known that need nothing done.
  void accept(String... names) {
    known.addAll(List.of(names));
  }

  /// How many fields nobody asked for.
  int unknown() {
    int unknown = 0;
    for (String name : body.propertyNames()) {
      unknown += known.contains(name) ? 0 : 1;
    }
    return unknown;
  }

  /// The field, or null where it is absent.
  @Nullable JsonNode get(String name) {
    known.add(name);
    JsonNode node = body.get(name);
    return node == null || node.isNull() ? null : node;
  }

  boolean has(String name) {
    return get(name) != null;
  }

  @Nullable String text(String name) {
    JsonNode node = get(name);
    if (node == null) {
      return null;
    }
    if (!node.isString()) {
      throw wrong(name, "a string", node);
    }
    return node.stringValue();
  }

  boolean flag(String name, boolean absent) {
    JsonNode node = get(name);
    if (node == null) {
      return absent;
    }
    if (!node.isBoolean()) {
      throw wrong(name, "true or false", node);
    }
    return node.booleanValue();
  }

  int integer(String name, int absent, int least, int most) {
    return (int) wide(name, absent, least, most);
  }

  long wide(String name, long absent, long least, long most) {
    JsonNode node = get(name);
    if (node == null) {
      return absent;
    }
    if (!node.isIntegralNumber()
        || !node.canConvertToLong()
        || node.longValue() < least
        || node.longValue() > most) {
      throw wrong(name, "a whole number from %d to %d".formatted(least, most), node);
    }
    return node.longValue();
  }

  float number(String name, float absent, float least, float most) {
    JsonNode node = get(name);
    if (node == null) {
      return absent;
    }
    double value = node.isNumber() ? node.doubleValue() : Double.NaN;
    if (!(value >= least && value <= most)) {
      throw wrong(name, "a number from %s to %s".formatted(least, most), node);
    }
    return (float) value;
  }

  /// An object; null where it is absent.
  @Nullable Fields object(String name) {
    JsonNode node = get(name);
    if (node == null) {
      return null;
    }
    if (node instanceof ObjectNode object) {
      return new Fields(object);
    }
    throw wrong(name, "an object", node);
  }

  /// A string or a list of strings; empty where it is absent.
  List<String> texts(String name, int most) {
    JsonNode node = get(name);
    if (node == null) {
      return List.of();
    }
    if (node.isString()) {
      return List.of(node.stringValue());
    }
    if (!node.isArray()) {
      throw wrong(name, "a string or a list of strings", node);
    }
    if (node.size() > most) {
      throw ApiException.field(
          name, "'%s' has %d entries; at most %d are allowed".formatted(name, node.size(), most));
    }
    List<String> result = new ArrayList<>();
    for (JsonNode item : node) {
      if (!item.isString()) {
        throw wrong(name, "a string or a list of strings", item);
      }
      result.add(item.stringValue());
    }
    return result;
  }

  /// Token ids of a vocabulary.
  static int[] tokens(String name, JsonNode node, int vocabulary) {
    if (!node.isArray()) {
      throw wrong(name, "a list of token ids", node);
    }
    int[] ids = new int[node.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode item = node.get(i);
      boolean whole = item.isIntegralNumber() && item.canConvertToInt();
      if (!whole || item.intValue() < 0 || item.intValue() >= vocabulary) {
        throw wrong(name, "a list of token ids from 0 to " + (vocabulary - 1), item);
      }
      ids[i] = item.intValue();
    }
    return ids;
  }

  /// Refuses fields that would change the answer and are not implemented. False, 0, empty lists and
  /// empty objects ask for nothing.
  void refuse(Set<String> names) {
    for (String name : names) {
      JsonNode node = get(name);
      if (node != null && asksForSomething(node)) {
        throw ApiException.unsupported(name);
      }
    }
  }

  private static boolean asksForSomething(JsonNode node) {
    if (node.isContainer()) {
      return !node.isEmpty();
    }
    if (node.isBoolean()) {
      return node.booleanValue();
    }
    if (node.isNumber()) {
      return node.doubleValue() != 0;
    }
    return !node.isString() || !node.stringValue().isEmpty();
  }

  static ApiException wrong(String name, String wanted, JsonNode found) {
    String shown = found.isContainer() ? (found.isArray() ? "a list" : "an object") : shown(found);
    return ApiException.field(name, "'%s' must be %s, not %s".formatted(name, wanted, shown));
  }

  private static String shown(JsonNode scalar) {
    String text = scalar.toString();
    return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
  }
}
