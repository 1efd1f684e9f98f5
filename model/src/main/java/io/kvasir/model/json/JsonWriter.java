package io.kvasir.model.json;

import java.util.Map;
import java.util.function.DoubleFunction;

/// Writes JSON without white space; non-ASCII text as it is.
public final class JsonWriter {
  private final StringBuilder out = new StringBuilder();
  private final DoubleFunction<String> reals;

  private JsonWriter(DoubleFunction<String> reals) {
    this.reals = reals;
  }

  static String write(Json value) {
    return write(value, d -> Double.isFinite(d) ? Double.toString(d) : "null");
  }

  /// @param reals spells numbers that are not whole
  public static String write(Json value, DoubleFunction<String> reals) {
    JsonWriter writer = new JsonWriter(reals);
    writer.add(value);
    return writer.out.toString();
  }

  /// How character `c` stands within a string where it must be escaped.
  public static String escape(int c) {
    return switch (c) {
      case '"' -> "\\\"";
      case '\\' -> "\\\\";
      case '\b' -> "\\b";
      case '\f' -> "\\f";
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      default -> String.format("\\u%04x", c);
    };
  }

  private void add(Json value) {
    switch (value) {
      case Json.Null n -> out.append("null");
      case Json.Bool(boolean b) -> out.append(b);
      case Json.Int(var i) -> out.append(i);
      case Json.Real(double d) -> out.append(reals.apply(d));
      case Json.Str(String s) -> quote(s);
      case Json.Arr(var items) -> {
        String separator = "";
        out.append('[');
        for (Json item : items) {
          out.append(separator);
          add(item);
          separator = ",";
        }
        out.append(']');
      }
      case Json.Obj(var fields) -> {
        String separator = "";
        out.append('{');
        for (Map.Entry<String, Json> field : fields.entrySet()) {
          out.append(separator);
          quote(field.getKey());
          out.append(':');
          add(field.getValue());
          separator = ",";
        }
        out.append('}');
      }
    }
  }

  private void quote(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x20 || c == '"' || c == '\\') {
        out.append(escape(c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
