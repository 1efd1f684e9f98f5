package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What several schemas that must hold together say about scalars and sizes.
final class Constraints {
  static final int NULL = 1;
  static final int BOOLEAN = 2;
  static final int INTEGER = 4;
  static final int FRACTIONAL = 8;
  static final int STRING = 16;
  static final int ARRAY = 32;
  static final int OBJECT = 64;

  private static final Map<String, Integer> TYPES =
      Map.of(
          "null",
          NULL,
          "boolean",
          BOOLEAN,
          "integer",
          INTEGER,
          "number",
          INTEGER | FRACTIONAL,
          "string",
          STRING,
          "array",
          ARRAY,
          "object",
          OBJECT);

  private final Collection<Schema> facets;
  private int types = 127;
  private @Nullable List<Json> values;
  private NumberTexts.Range range = NumberTexts.Range.ALL;
  private final List<BigInteger> factors = new ArrayList<>();
  private int places = NumberTexts.FRACTION;
  private long minLength;
  private long maxLength = Repetition.UNBOUNDED;
  private final Set<String> patterns = new LinkedHashSet<>();
  private final Set<String> formats = new LinkedHashSet<>();
  private long minItems;
  private long maxItems = Repetition.UNBOUNDED;
  private long minProperties;
  private long maxProperties = Repetition.UNBOUNDED;

  Constraints(Collection<Schema> facets) {
    this.facets = facets;
    for (Schema schema : facets) {
      types &= types(schema);
      numbers(schema);
      minLength = Math.max(minLength, schema.count("minLength", 0));
      maxLength = Math.min(maxLength, schema.count("maxLength", Repetition.UNBOUNDED));
      minItems = Math.max(minItems, schema.count("minItems", 0));
      maxItems = Math.min(maxItems, schema.count("maxItems", Repetition.UNBOUNDED));
      minProperties = Math.max(minProperties, schema.count("minProperties", 0));
      maxProperties = Math.min(maxProperties, schema.count("maxProperties", Repetition.UNBOUNDED));
      if (schema.has("pattern")) {
        patterns.add(schema.text("pattern"));
      }
      if (schema.has("format")) {
        String pattern = Formats.pattern(schema.text("format"));
        if (pattern == null) {
          throw schema.unsupported(
              "format", "is \"" + schema.text("format") + "\", which is not supported");
        }
        formats.add(pattern);
      }
    }
    for (Schema schema : facets) {
      values(schema);
    }
  }

  private static int types(Schema schema) {
    Json type = schema.get("type");
    if (type == null) {
      return 127;
    }
    List<Json> names = type instanceof Json.Arr(List<Json> items) ? items : List.of(type);
    int mask = 0;
    for (Json name : names) {
      Integer bit = name instanceof Json.Str(String text) ? TYPES.get(text) : null;
      if (bit == null) {
        throw schema.unsupported("type", "is " + shown(name) + ", which is no type");
      }
      mask |= bit;
    }
    return schema.get("nullable") instanceof Json.Bool(boolean n) && n ? mask | NULL : mask;
  }

  private static String shown(Json value) {
    String text = value.toText();
    return text.length() > 60 ? text.substring(0, 60) + "..." : text;
  }

  private void numbers(Schema schema) {
    bound(schema, "minimum", "exclusiveMinimum", true);
    bound(schema, "maximum", "exclusiveMaximum", false);
    if (!schema.has("multipleOf")) {
      return;
    }
    BigDecimal factor = number(schema, "multipleOf").stripTrailingZeros();
    if (factor.signum() <= 0) {
      throw schema.unsupported("multipleOf", "is " + factor + ", which is not positive");
    }
    if (factor.scale() <= 0) {
      factors.add(factor.toBigIntegerExact());
      places = 0;
    } else if (factor.unscaledValue().equals(BigInteger.ONE)) {
      places = Math.min(places, factor.scale()); // 0.1, 0.01, ...: that many digits
    } else {
      throw schema.unsupported(
          "multipleOf", "is " + factor.toPlainString() + ", neither an integer nor a power of 0.1");
    }
  }

  private void bound(Schema schema, String keyword, String exclusive, boolean low) {
    Json open = schema.get(exclusive);
    boolean draft4 = open instanceof Json.Bool(boolean value) && value;
    if (schema.has(keyword)) {
      narrow(number(schema, keyword), draft4, low);
    }
    if (open != null && !(open instanceof Json.Bool)) {
      narrow(number(schema, exclusive), true, low);
    }
  }

  private void narrow(BigDecimal bound, boolean open, boolean low) {
    if (low) {
      int order = range.low() == null ? 1 : bound.compareTo(range.low());
      if (order > 0 || order == 0 && open) {
        range = new NumberTexts.Range(bound, open, range.high(), range.highOpen());
      }
    } else {
      int order = range.high() == null ? -1 : bound.compareTo(range.high());
      if (order < 0 || order == 0 && open) {
        range = new NumberTexts.Range(range.low(), range.lowOpen(), bound, open);
      }
    }
  }

  private static BigDecimal number(Schema schema, String keyword) {
    BigDecimal value = decimal(schema.get(keyword));
    if (value == null) {
      throw schema.unsupported(keyword, "is no number");
    }
    if (Math.abs((long) value.precision() - value.scale()) > NumberTexts.MAX_DIGITS
        || value.scale() > NumberTexts.MAX_DIGITS) {
      throw schema.unsupported(keyword, "has more than " + NumberTexts.MAX_DIGITS + " digits");
    }
    return value;
  }

  private static @Nullable BigDecimal decimal(@Nullable Json value) {
    if (value instanceof Json.Int(BigInteger i)) {
      return new BigDecimal(i);
    }
    return value instanceof Json.Real(double d) && Double.isFinite(d)
        ? BigDecimal.valueOf(d)
        : null;
  }

  private void values(Schema schema) {
    if (schema.has("enum")) {
      keep(schema, "enum", schema.list("enum"));
    }
    Json constant = schema.get("const");
    if (constant != null) {
      keep(schema, "const", List.of(constant));
    }
  }

  private void keep(Schema schema, String keyword, List<Json> allowed) {
    Map<Object, Json> byValue = new LinkedHashMap<>();
    for (Json value : allowed) {
      byValue.putIfAbsent(canonical(value), value);
    }
    if (values != null) {
      Set<Object> before = new LinkedHashSet<>();
      values.forEach(v -> before.add(canonical(v)));
      byValue.keySet().retainAll(before);
    }
    List<Json> kept = new ArrayList<>();
    for (Json value : byValue.values()) {
      if (structured(value) && facets.stream().anyMatch(Constraints::structural)) {
        throw schema.unsupported(keyword, "lists an array or object beside keywords for its parts");
      }
      kept.add(value);
    }
    values = kept;
  }

  private static boolean structured(Json value) {
    return value instanceof Json.Arr || value instanceof Json.Obj;
  }

  private static boolean structural(Schema schema) {
    for (String keyword :
        List.of(
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "minProperties",
            "maxProperties",
            "items",
            "prefixItems",
            "minItems",
            "maxItems")) {
      if (schema.has(keyword)) {
        return true;
      }
    }
    return false;
  }

  /// An object that is equal for equal JSON values: 1 and 1.0 are, and the order of fields does not
  /// count.
  static Object canonical(Json value) {
    return switch (value) {
      case Json.Null n -> n;
      case Json.Bool b -> b;
      case Json.Int(BigInteger i) -> new BigDecimal(i).stripTrailingZeros();
      case Json.Real(double d) ->
          Double.isFinite(d) ? BigDecimal.valueOf(d).stripTrailingZeros() : (Object) d;
      case Json.Str s -> s;
      case Json.Arr(List<Json> items) -> items.stream().map(Constraints::canonical).toList();
      case Json.Obj(Map<String, Json> fields) -> {
        Map<String, Object> out = new java.util.HashMap<>();
        fields.forEach((k, v) -> out.put(k, canonical(v)));
        yield out;
      }
    };
  }

  /// Whether `value`, of a kind that an `enum` may list here, satisfies all but the enumerations.
  boolean admits(Json value, StringLanguages strings) {
    return switch (value) {
      case Json.Null n -> has(NULL);
      case Json.Bool b -> has(BOOLEAN);
      case Json.Int i -> admitsNumber(value);
      case Json.Real r -> admitsNumber(value);
      case Json.Str(String text) -> {
        long length = text.codePointCount(0, text.length());
        yield has(STRING)
            && length >= minLength
            && length <= maxLength
            && strings.matchesAll(this, text);
      }
      case Json.Arr a -> has(ARRAY);
      case Json.Obj o -> has(OBJECT);
    };
  }

  private boolean admitsNumber(Json value) {
    BigDecimal number = decimal(value);
    if (number == null) {
      return false;
    }
    BigDecimal plain = number.stripTrailingZeros();
    boolean whole = plain.scale() <= 0;
    boolean multiple =
        factors.isEmpty()
            || whole
                && factors.stream().allMatch(f -> plain.remainder(new BigDecimal(f)).signum() == 0);
    return has(whole ? INTEGER : FRACTIONAL)
        && range.holds(number)
        && plain.scale() <= places
        && multiple;
  }

  boolean has(int type) {
    return (types & type) != 0;
  }

  int types() {
    return types;
  }

  /// The values that an enumeration lists, or `null` where there is none.
  @Nullable List<Json> values() {
    return values;
  }

  NumberTexts.Range range() {
    return range;
  }

  List<BigInteger> factors() {
    return factors;
  }

  /// The greatest number of digits behind the point.
  int places() {
    return places;
  }

  long minLength() {
    return minLength;
  }

  long maxLength() {
    return maxLength;
  }

  /// Patterns that match somewhere in the string.
  Set<String> patterns() {
    return patterns;
  }

  /// Patterns that match the whole string.
  Set<String> formats() {
    return formats;
  }

  long minItems() {
    return minItems;
  }

  long maxItems() {
    return maxItems;
  }

  long minProperties() {
    return minProperties;
  }

  long maxProperties() {
    return maxProperties;
  }
}
