package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.math.BigDecimal;
import java.util.Map;

/// The one spelling of a JSON value that the grammars write where the value is fixed.
final class JsonText {
  private JsonText() {}

  /// How character `c` stands within a string where it must be escaped.
  static String escape(int c) {
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

  static String quoted(String text) {
    StringBuilder out = new StringBuilder();
    quote(text, out);
    return out.toString();
  }

  static String of(Json value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void quote(String text, StringBuilder out) {
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

  private static void write(Json value, StringBuilder out) {
    switch (value) {
      case Json.Null n -> out.append("null");
      case Json.Bool(boolean b) -> out.append(b);
      case Json.Int(var i) -> out.append(i);
      case Json.Real(double d) -> out.append(real(d));
      case Json.Str(String s) -> quote(s, out);
      case Json.Arr(var items) -> {
        String separator = "";
        out.append('[');
        for (Json item : items) {
          out.append(separator);
          write(item, out);
          separator = ",";
        }
        out.append(']');
      }
      case Json.Obj(var fields) -> {
        String separator = "";
        out.append('{');
        for (Map.Entry<String, Json> field : fields.entrySet()) {
          out.append(separator);
          quote(field.getKey(), out);
          out.append(':');
          write(field.getValue(), out);
          separator = ",";
        }
        out.append('}');
      }
    }
  }

  private static String real(double d) {
    if (!Double.isFinite(d)) {
      throw new GrammarException("a number of the schema is beyond the range of a double");
    }
    return Math.abs(d) < 1e15 ? BigDecimal.valueOf(d).toPlainString() : Double.toString(d);
  }
}
