package io.kvasir.model.json;

import java.util.Map;

/// Writes JSON without white space; non-ASCII text as it is.
final class JsonWriter {
  private JsonWriter() {}

  static String write(Json value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void write(Json value, StringBuilder out) {
    switch (value) {
      case Json.Null n -> out.append("null");
      case Json.Bool(boolean b) -> out.append(b);
      case Json.Int(var i) -> out.append(i);
      case Json.Real(double d) -> out.append(Double.isFinite(d) ? Double.toString(d) : "null");
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

  private static void quote(String text, StringBuilder out) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          if (c < 0x20) {
            out.append(String.format("\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
