package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/// How values print: Python's `str` and `repr`.
final class Repr {
  private final Budget budget;
  private final boolean asciiOnly;
  private final StringBuilder out = new StringBuilder();
  private int charged;

  private Repr(Budget budget, boolean asciiOnly) {
    this.budget = budget;
    this.asciiOnly = asciiOnly;
  }

  /// `str(value)`.
  static String str(Value value, Budget budget) {
    return switch (value) {
      case Str s -> s.text();
      case Value.Undefined u -> "";
      case Value.Bool(boolean b) -> b ? "True" : "False";
      case Value.None n -> "None";
      case Value.Int(BigInteger i) -> {
        budget.steps(i.bitLength() >> 5);
        yield NumberText.text(i);
      }
      case Value.Real(double d) -> NumberText.repr(d);
      case Value.Sequence s -> repr(s, budget);
      case Dict d -> repr(d, budget);
      case Value.Range r -> repr(r, budget);
      case Value.View v -> repr(v, budget);
      case Value.Generator g -> repr(g, budget);
      case Value.Namespace n -> repr(n, budget);
      case Value.Cycler c -> repr(c, budget);
      case Value.Callable c -> repr(c, budget);
    };
  }

  /// `repr(value)`.
  static String repr(Value value, Budget budget) {
    Repr repr = new Repr(budget, false);
    repr.write(value, 0);
    return repr.out.toString();
  }

  /// `ascii(value)`.
  static String ascii(Value value, Budget budget) {
    Repr repr = new Repr(budget, true);
    repr.write(value, 0);
    return repr.out.toString();
  }

  private void write(Value value, int depth) {
    if (depth > Limits.MAX_VALUE_DEPTH) {
      throw new TemplateException("a value nests deeper than " + Limits.MAX_VALUE_DEPTH);
    }
    budget.characters(out.length() - charged);
    charged = out.length();
    switch (value) {
      case Str s -> writeString(s);
      case Value.Undefined u -> out.append("Undefined");
      case Value.Bool(boolean b) -> out.append(b ? "True" : "False");
      case Value.None n -> out.append("None");
      case Value.Int i -> out.append(str(i, budget));
      case Value.Real(double d) -> out.append(NumberText.repr(d));
      case Value.Sequence s -> writeSequence(s, depth);
      case Dict d -> writeDict(d, depth);
      case Value.Range r -> writeRange(r);
      case Value.View v -> writeView(v, depth);
      case Value.Generator g -> out.append('<').append(g.name()).append(" object>");
      case Value.Namespace n -> writeNamespace(n, depth);
      case Value.Cycler c -> out.append("<Cycler object>");
      case Value.Callable c -> out.append(c.text());
    }
  }

  private void writeSequence(Value.Sequence sequence, int depth) {
    List<Value> items = sequence.items();
    out.append(sequence.tuple() ? '(' : '[');
    for (int i = 0; i < items.size(); i++) {
      if (i > 0) {
        out.append(", ");
      }
      write(items.get(i), depth + 1);
    }
    if (sequence.tuple() && items.size() == 1) {
      out.append(',');
    }
    out.append(sequence.tuple() ? ')' : ']');
  }

  private void writeDict(Dict dict, int depth) {
    String separator = "";
    out.append('{');
    for (Dict.Entry entry : dict.entries()) {
      out.append(separator);
      write(entry.key(), depth + 1);
      out.append(": ");
      write(entry.value(), depth + 1);
      separator = ", ";
    }
    out.append('}');
  }

  private void writeRange(Value.Range range) {
    out.append("range(").append(range.start()).append(", ").append(range.stop());
    if (range.step() != 1) {
      out.append(", ").append(range.step());
    }
    out.append(')');
  }

  private void writeView(Value.View view, int depth) {
    out.append(Types.name(view)).append("([");
    String separator = "";
    for (Dict.Entry entry : view.dict().entries()) {
      out.append(separator);
      write(Iteration.element(view, entry), depth + 1);
      separator = ", ";
    }
    out.append("])");
  }

  private void writeNamespace(Value.Namespace namespace, int depth) {
    String separator = "";
    out.append("<Namespace {");
    for (Map.Entry<String, Value> entry : namespace.attributes().entrySet()) {
      out.append(separator);
      write(new Str(entry.getKey()), depth + 1);
      out.append(": ");
      write(entry.getValue(), depth + 1);
      separator = ", ";
    }
    out.append("}>");
  }

  private void writeString(Str str) {
    String text = str.text();
    budget.escapes(text.length());
    if (str.markup()) {
      out.append("Markup(");
    }
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      writeCharacter(c, quote);
      i += Character.charCount(c);
    }
    out.append(quote);
    if (str.markup()) {
      out.append(')');
    }
  }

  private void writeCharacter(int c, char quote) {
    switch (c) {
      case '\\' -> out.append("\\\\");
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      default -> {
        if (c == quote) {
          out.append('\\').append(quote);
        } else if (Chars.isPrintable(c) && !(asciiOnly && c > 126)) {
          out.appendCodePoint(c);
        } else if (c < 0x100) {
          writeHex("\\x", c, 2);
        } else if (c < 0x10000) {
          writeHex("\\u", c, 4);
        } else {
          writeHex("\\U", c, 8);
        }
      }
    }
  }

  private void writeHex(String prefix, int c, int digits) {
    out.append(prefix);
    String hex = Integer.toHexString(c);
    out.repeat('0', digits - hex.length()).append(hex);
  }
}
