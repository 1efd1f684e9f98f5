package io.kvasir.model.template;

import java.util.List;

/// The methods of strings that look for a part; bounds and results count code points.
final class StringSearch {
  private StringSearch() {}

  /// The UTF-16 range that the bounds at `index` and `index + 1` select, or null when it is void.
  private static int @org.jspecify.annotations.Nullable [] range(
      Str s, Signature.Bound a, int index) {
    int length = s.length();
    int start = a.present(index) ? bound(a.integer(index, 0), length) : 0;
    int end = a.present(index + 1) ? bound(a.integer(index + 1, 0), length) : length;
    end = Math.min(end, length);
    return start > end ? null : new int[] {s.offset(start), s.offset(end)};
  }

  private static int bound(int value, int length) {
    return value < 0 ? (int) Math.max(0, (long) value + length) : value;
  }

  static Value count(Str s, Signature.Bound a) {
    int[] range = range(s, a, 1);
    String part = a.text(0);
    return Value.Int.of(
        range == null ? 0 : Strings.occurrences(s.text().substring(range[0], range[1]), part));
  }

  static Value find(Str s, Signature.Bound a, boolean fromRight, boolean must) {
    int[] range = range(s, a, 1);
    String part = a.text(0);
    int at = -1;
    if (range != null) {
      String text = s.text().substring(range[0], range[1]);
      at =
          fromRight
              ? TextSearch.lastIndexOf(text, part, text.length())
              : TextSearch.indexOf(text, part, 0);
      at = at < 0 ? -1 : s.text().codePointCount(0, range[0] + at);
    }
    if (at < 0 && must) {
      throw new TemplateException("substring not found");
    }
    return Value.Int.of(at);
  }

  /// `startswith` and `endswith`; the first argument is a string or a tuple of strings.
  static Value affix(Str s, Signature.Bound a, boolean prefix) {
    List<Value> parts =
        a.get(0) instanceof Value.Sequence sequence && sequence.tuple()
            ? sequence.items()
            : List.of(new Str(a.text(0)));
    int[] range = range(s, a, 1);
    for (Value part : parts) {
      if (!(part instanceof Str text)) {
        throw new TemplateException(
            "'" + a.owner() + "' needs strings in its tuple, not '" + Types.name(part) + "'");
      }
      if (range != null && matches(s.text(), text.text(), range, prefix)) {
        return Value.Bool.TRUE;
      }
    }
    return Value.Bool.FALSE;
  }

  private static boolean matches(String text, String part, int[] range, boolean prefix) {
    if (part.length() > range[1] - range[0]) {
      return false;
    }
    return text.startsWith(part, prefix ? range[0] : range[1] - part.length());
  }

  static Value partition(Str s, Signature.Bound a, boolean fromRight) {
    String text = s.text();
    String separator = a.text(0);
    if (separator.isEmpty()) {
      throw new TemplateException("the separator of '" + a.owner() + "' is empty");
    }
    int at =
        fromRight
            ? TextSearch.lastIndexOf(text, separator, text.length())
            : TextSearch.indexOf(text, separator, 0);
    if (at < 0) {
      Str empty = s.with("");
      return fromRight
          ? Value.Sequence.tuple(empty, empty, s)
          : Value.Sequence.tuple(s, empty, empty);
    }
    return Value.Sequence.tuple(
        s.with(text.substring(0, at)),
        s.with(separator),
        s.with(text.substring(at + separator.length())));
  }
}
