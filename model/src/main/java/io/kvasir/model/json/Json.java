package io.kvasir.model.json;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A JSON value. Objects keep the order of their keys; of repeated keys the last wins.
///
/// Lookups such as [#get] answer [Null] for what is absent, so a chain of them never throws; the
/// `as…` methods turn a value into Java or throw [JsonException] naming what was found.
public sealed interface Json {

  /// The JSON `null`.
  enum Null implements Json {
    NULL
  }

  /// `true` or `false`.
  record Bool(boolean value) implements Json {}

  /// A number without fraction or exponent.
  record Int(BigInteger value) implements Json {
    public Int(long value) {
      this(BigInteger.valueOf(value));
    }
  }

  /// A number with fraction or exponent.
  record Real(double value) implements Json {}

  /// A string, as UTF-16.
  record Str(String value) implements Json {}

  /// An array; unmodifiable.
  record Arr(List<Json> items) implements Json {}

  /// An object; unmodifiable, in file order.
  record Obj(Map<String, Json> fields) implements Json {}

  /// Parses one JSON document.
  ///
  /// @throws JsonException where the text is not JSON, with the offset
  static Json parse(String text) {
    return new JsonReader(text).readDocument();
  }

  /// The field `name`, or [Null#NULL] when this is no object or has no such field.
  default Json get(String name) {
    if (this instanceof Obj obj) {
      Json value = obj.fields().get(name);
      return value == null ? Null.NULL : value;
    }
    return Null.NULL;
  }

  /// True where a value other than `null` stands under `name`.
  default boolean has(String name) {
    return !get(name).isNull();
  }

  default boolean isNull() {
    return this == Null.NULL;
  }

  /// The items of an array; empty for `null`.
  default List<Json> asList() {
    return switch (this) {
      case Arr(List<Json> items) -> items;
      case Null n -> List.of();
      case Bool b -> throw unexpected("an array");
      case Int i -> throw unexpected("an array");
      case Real r -> throw unexpected("an array");
      case Str s -> throw unexpected("an array");
      case Obj o -> throw unexpected("an array");
    };
  }

  /// The fields of an object; empty for `null`.
  default Map<String, Json> asMap() {
    if (this instanceof Obj(Map<String, Json> fields)) {
      return fields;
    }
    if (isNull()) {
      return Map.of();
    }
    throw unexpected("an object");
  }

  default String asString() {
    if (this instanceof Str(String value)) {
      return value;
    }
    throw unexpected("a string");
  }

  default int asInt() {
    long value = asLong();
    if (value != (int) value) {
      throw unexpected("a 32-bit integer");
    }
    return (int) value;
  }

  default long asLong() {
    if (this instanceof Int(BigInteger value) && value.bitLength() < 64) {
      return value.longValue();
    }
    if (this instanceof Real(double value) && value == Math.rint(value) && Math.abs(value) < 1e15) {
      return (long) value;
    }
    throw unexpected("an integer");
  }

  default double asDouble() {
    if (this instanceof Int(BigInteger value)) {
      return value.doubleValue();
    }
    if (this instanceof Real(double value)) {
      return value;
    }
    throw unexpected("a number");
  }

  default boolean asBoolean() {
    if (this instanceof Bool(boolean value)) {
      return value;
    }
    throw unexpected("true or false");
  }

  default int intOr(String name, int fallback) {
    return has(name) ? get(name).asInt() : fallback;
  }

  default double doubleOr(String name, double fallback) {
    return has(name) ? get(name).asDouble() : fallback;
  }

  default boolean booleanOr(String name, boolean fallback) {
    return has(name) ? get(name).asBoolean() : fallback;
  }

  default String textOr(String name, String fallback) {
    return has(name) ? get(name).asString() : fallback;
  }

  default @Nullable String stringOr(String name, @Nullable String fallback) {
    return has(name) ? get(name).asString() : fallback;
  }

  /// The compact text of this value.
  default String toText() {
    return JsonWriter.write(this);
  }

  private JsonException unexpected(String wanted) {
    String found = toText();
    return new JsonException(
        "expected "
            + wanted
            + " but found "
            + (found.length() > 60 ? found.substring(0, 60) + "..." : found));
  }
}
