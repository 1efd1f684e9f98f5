package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// Filters that make text.
final class TextFilters {
  private TextFilters() {}

  /// A string as it is, anything else as it prints.
  static Str soft(Rendering rt, Value value) {
    return value instanceof Str str ? str : new Str(rt.str(value));
  }

  static Value change(Rendering rt, Value value, UnaryOperator<String> change) {
    Str str = soft(rt, value);
    rt.budget().characters(str.text().length());
    return str.with(change.apply(str.text()));
  }

  static Value lower(Rendering rt, Value value) {
    return change(rt, value, s -> s.toLowerCase(Locale.ROOT));
  }

  static Value upper(Rendering rt, Value value) {
    return change(rt, value, s -> s.toUpperCase(Locale.ROOT));
  }

  /// Upper case at the start and after white space, `-` and opening brackets, lower case elsewhere.
  static String titled(String text) {
    StringBuilder out = new StringBuilder(text.length());
    boolean atStart = true;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      String s = Character.toString(c);
      if ("-({[<".indexOf(c) >= 0 || Chars.isSpace(c)) {
        out.append(s);
        atStart = true;
      } else {
        out.append(atStart ? s.toUpperCase(Locale.ROOT) : s.toLowerCase(Locale.ROOT));
        atStart = false;
      }
    }
    return out.toString();
  }

  static Value center(Rendering rt, Value value, Signature.Bound a) {
    Value width = a.get(0, Value.Int.of(80));
    Signature signature = new Signature("center", "width! fill");
    return Padding.center(rt, soft(rt, value), signature.bind(Arguments.of(width)));
  }

  static Value format(Rendering rt, Value value, Signature.Bound a) {
    if (!a.rest().isEmpty() && !a.keywords().isEmpty()) {
      throw new TemplateException("'format' takes positional or named arguments, not both");
    }
    Value values =
        a.keywords().isEmpty() ? Value.Sequence.tuple(a.rest()) : Dict.ofStrings(a.keywords());
    return new PercentFormat(rt.budget()).format(soft(rt, value), values);
  }

  static Value indent(Rendering rt, Value value, Signature.Bound a) {
    Str text = string(value, "indent");
    String indention =
        a.has(0) && a.get(0) instanceof Str s
            ? s.text()
            : " ".repeat(Math.clamp(a.integer(0, 4), 0, 10_000));
    boolean first = a.truth(1, false);
    boolean blank = a.truth(2, false);
    List<String> lines = Strings.lines(text.text() + "\n", false);
    rt.budget().characters(text.text().length() + (long) lines.size() * indention.length());
    StringBuilder out = new StringBuilder(first ? indention : "");
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      if (i > 0) {
        out.append('\n');
        out.append(blank || !line.isEmpty() ? indention : "");
      }
      out.append(line);
    }
    return text.with(out.toString());
  }

  private static Str string(Value value, String filter) {
    return switch (value) {
      case Str s -> s;
      case Value.Undefined u -> throw u.failure();
      default ->
          throw new TemplateException(
              "the filter '" + filter + "' needs a string, not '" + Types.name(value) + "'");
    };
  }

  static Value join(Rendering rt, Value value, Signature.Bound a) {
    String separator = rt.str(a.get(0, Str.EMPTY));
    SequenceFilters.Key key = SequenceFilters.Key.of(rt, a.present(1) ? a.get(1) : null);
    StringBuilder out = new StringBuilder();
    boolean first = true;
    for (Value item : Iteration.list(value, rt.budget())) {
      String text = rt.str(key.apply(item));
      rt.budget().characters((long) text.length() + separator.length());
      out.append(first ? "" : separator).append(text);
      first = false;
    }
    return new Str(out.toString());
  }

  /// `repr` with the keys of dictionaries in order.
  static Value pretty(Rendering rt, Value value) {
    return rt.text(Repr.repr(inOrder(rt, value, 0), rt.budget()));
  }

  private static Value inOrder(Rendering rt, Value value, int depth) {
    if (depth > Limits.MAX_VALUE_DEPTH) {
      throw new TemplateException("a value nests deeper than " + Limits.MAX_VALUE_DEPTH);
    }
    rt.budget().items(1);
    if (value instanceof Dict dict) {
      Dict sorted = new Dict();
      List<Value> keys = Iteration.list(dict, rt.budget());
      for (Value key : rt.comparison().sorted(keys, k -> new Str(rt.str(k)), false)) {
        Value item = dict.get(key);
        sorted.put(key, item == null ? Value.None.NONE : inOrder(rt, item, depth + 1));
      }
      return sorted;
    }
    if (value instanceof Value.Sequence sequence) {
      List<Value> items = new ArrayList<>();
      for (Value item : sequence.items()) {
        items.add(inOrder(rt, item, depth + 1));
      }
      return sequence.tuple() ? Value.Sequence.tuple(items) : Value.Sequence.list(items);
    }
    return value;
  }

  static Value replace(Rendering rt, Value value, Signature.Bound a) {
    String old = rt.str(a.get(0));
    String replacement = rt.str(a.get(1));
    int count = a.present(2) ? a.integer(2, -1) : -1;
    return new Str(Strings.replace(rt.str(value), old, replacement, count, rt.budget()));
  }

  static Value stripTags(Rendering rt, Value value, Signature.Bound a) {
    String text = rt.str(value);
    rt.budget().characters(text.length());
    String plain = withoutBetween(withoutBetween(text, "<!--", "-->"), "<", ">");
    return new Str(Html.unescape(String.join(" ", Strings.splitSpace(plain, -1))));
  }

  private static String withoutBetween(String text, String open, String close) {
    StringBuilder out = new StringBuilder();
    int at = 0;
    while (true) {
      int start = text.indexOf(open, at);
      int end = start < 0 ? -1 : text.indexOf(close, start);
      if (end < 0) {
        return out.append(text, at, text.length()).toString();
      }
      out.append(text, at, start);
      at = end + close.length();
    }
  }

  static Value trim(Rendering rt, Value value, Signature.Bound a) {
    return StringMethods.strip(rt, soft(rt, value), a, true, true);
  }

  static Value truncate(Rendering rt, Value value, Signature.Bound a) {
    int length = a.integer(0, 255);
    boolean killWords = a.truth(1, false);
    Str end = new Str(a.text(2, "..."));
    int leeway = a.present(3) ? a.integer(3, 5) : 5;
    if (length < end.length() || leeway < 0) {
      throw new TemplateException(
          "'truncate' needs a length of at least " + end.length() + ", not " + length);
    }
    int found = Types.length(value);
    if (found >= 0 && found <= (long) length + leeway) {
      return value;
    }
    Str text = string(value, "truncate");
    String cut = text.slice(0, length - end.length());
    if (!killWords) {
      int space = cut.lastIndexOf(' ');
      cut = space < 0 ? cut : cut.substring(0, space);
    }
    return rt.text(cut + end.text());
  }

  static Value wordCount(Rendering rt, Value value) {
    String text = rt.str(value);
    int words = 0;
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      boolean letter = c == '_' || Chars.isAlphanumeric(c);
      words += letter && !inWord ? 1 : 0;
      inWord = letter;
      i += Character.charCount(c);
    }
    return Value.Int.of(words);
  }

  static @Nullable Value orNull(Signature.Bound a, int index) {
    return a.present(index) ? a.get(index) : null;
  }
}
