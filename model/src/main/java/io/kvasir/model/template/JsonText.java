package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The `tojson` filter: `json.dumps` of Python, without escaping what is not ASCII.
final class JsonText {
  private final Rendering runtime;
  private final boolean asciiOnly;
  private final boolean sortKeys;
  private final @Nullable String indent;
  private final String itemSeparator;
  private final String keySeparator;
  private final StringBuilder out = new StringBuilder();
  private int charged;

  private JsonText(Rendering runtime, Signature.Bound a) {
    this.runtime = runtime;
    asciiOnly = a.truth(0, false);
    sortKeys = a.truth(3, false);
    indent = a.present(1) ? indentation(a) : null;
    List<Value> separators = a.present(2) ? Iteration.list(a.get(2), runtime.budget()) : List.of();
    if (a.present(2)
        && (separators.size() != 2
            || !(separators.get(0) instanceof Str)
            || !(separators.get(1) instanceof Str))) {
      throw new TemplateException("the 'separators' of 'tojson' must be two strings");
    }
    itemSeparator =
        separators.isEmpty() ? (indent == null ? ", " : ",") : separators.get(0).toString();
    keySeparator = separators.isEmpty() ? ": " : separators.get(1).toString();
  }

  private static String indentation(Signature.Bound a) {
    if (a.get(1) instanceof Str s) {
      return s.text();
    }
    return " ".repeat(Math.clamp(a.integer(1, 0), 0, 1_000));
  }

  static Value filter(Rendering runtime, Value value, Signature.Bound arguments) {
    JsonText json = new JsonText(runtime, arguments);
    json.write(value, 0);
    json.charge();
    return new Str(json.out.toString());
  }

  private void charge() {
    runtime.budget().characters(out.length() - charged);
    charged = out.length();
  }

  private void write(Value value, int depth) {
    if (depth > Limits.MAX_VALUE_DEPTH) {
      throw new TemplateException("a value nests deeper than " + Limits.MAX_VALUE_DEPTH);
    }
    charge();
    switch (value) {
      case Value.None n -> out.append("null");
      case Value.Bool(boolean b) -> out.append(b);
      case Value.Int(BigInteger i) -> out.append(NumberText.text(i));
      case Value.Real(double d) -> out.append(real(d));
      case Str s -> quote(s.text());
      case Value.Sequence s -> writeItems(s.items(), depth);
      case Dict d -> writeDict(d, depth);
      default ->
          throw new TemplateException(
              "an object of type '" + Types.name(value) + "' cannot be written as JSON");
    }
  }

  private static String real(double value) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    return Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : NumberText.repr(value);
  }

  private void writeItems(List<Value> items, int depth) {
    if (items.isEmpty()) {
      out.append("[]");
      return;
    }
    out.append('[');
    boolean first = true;
    for (Value item : items) {
      separate(first, depth + 1);
      write(item, depth + 1);
      first = false;
    }
    newline(depth);
    out.append(']');
  }

  private void writeDict(Dict dict, int depth) {
    if (dict.size() == 0) {
      out.append("{}");
      return;
    }
    List<Value> keys = new ArrayList<>(dict.size());
    for (Dict.Entry entry : dict.entries()) {
      keys.add(entry.key());
    }
    if (sortKeys) {
      keys = runtime.comparison().sorted(keys, key -> key, false);
    }
    out.append('{');
    boolean first = true;
    for (Value key : keys) {
      separate(first, depth + 1);
      quote(keyText(key));
      out.append(keySeparator);
      Value value = dict.get(key);
      write(value == null ? Value.None.NONE : value, depth + 1);
      first = false;
    }
    newline(depth);
    out.append('}');
  }

  private static String keyText(Value key) {
    return switch (key) {
      case Str s -> s.text();
      case Value.Bool(boolean b) -> b ? "true" : "false";
      case Value.None n -> "null";
      case Value.Int(BigInteger i) -> NumberText.text(i);
      case Value.Real(double d) -> real(d);
      default ->
          throw new TemplateException(
              "a key of type '" + Types.name(key) + "' cannot be written as JSON");
    };
  }

  private void separate(boolean first, int depth) {
    if (!first) {
      out.append(itemSeparator);
    }
    newline(depth);
  }

  private void newline(int depth) {
    if (indent != null) {
      runtime.budget().characters((long) depth * indent.length());
      out.append('\n').repeat(indent, depth);
    }
  }

  private void quote(String text) {
    runtime.budget().escapes(text.length());
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c < 0x20 || asciiOnly && c > 0x7e) {
            String hex = Integer.toHexString(c);
            out.append("\\u").repeat('0', 4 - hex.length()).append(hex);
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
