package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// The methods of strings, one line each.
final class StringMethods {
  private record Method(Signature signature, Body body) {}

  private interface Body {
    Value call(Rendering runtime, Str self, Signature.Bound arguments);
  }

  private interface Change {
    String apply(String text);
  }

  private static final Map<String, Method> METHODS = new HashMap<>();

  static {
    change("capitalize", Strings::capitalize);
    change("casefold", Strings::foldCase);
    change("lower", s -> s.toLowerCase(Locale.ROOT));
    change("swapcase", Strings::swapCase);
    change("title", Strings::title);
    change("upper", s -> s.toUpperCase(Locale.ROOT));
    check("isalnum", Chars::isAlphanumeric);
    check("isalpha", Chars::isAlpha);
    check("isdecimal", Chars::isDecimal);
    check("isdigit", Chars::isDigit);
    check("isnumeric", Chars::isNumeric);
    check("isspace", Chars::isSpace);
    add("isascii", "", (rt, s, a) -> Value.Bool.of(all(s, c -> c < 128)));
    add("isidentifier", "", (rt, s, a) -> Value.Bool.of(StringChecks.isIdentifier(s.text())));
    add("islower", "", (rt, s, a) -> Value.Bool.of(StringChecks.isLower(s.text())));
    add("isprintable", "", (rt, s, a) -> Value.Bool.of(all(s, Chars::isPrintable)));
    add("istitle", "", (rt, s, a) -> Value.Bool.of(StringChecks.isTitle(s.text())));
    add("isupper", "", (rt, s, a) -> Value.Bool.of(StringChecks.isUpper(s.text())));
    add("center", "/ width! fill", (rt, s, a) -> Padding.center(rt, s, a));
    add("ljust", "/ width! fill", (rt, s, a) -> Padding.left(rt, s, a));
    add("rjust", "/ width! fill", (rt, s, a) -> Padding.right(rt, s, a));
    add("zfill", "/ width!", (rt, s, a) -> Padding.zeros(rt, s, a));
    add("count", "/ part! start end", (rt, s, a) -> StringSearch.count(s, a));
    add("find", "/ part! start end", (rt, s, a) -> StringSearch.find(s, a, false, false));
    add("rfind", "/ part! start end", (rt, s, a) -> StringSearch.find(s, a, true, false));
    add("index", "/ part! start end", (rt, s, a) -> StringSearch.find(s, a, false, true));
    add("rindex", "/ part! start end", (rt, s, a) -> StringSearch.find(s, a, true, true));
    add("startswith", "/ prefix! start end", (rt, s, a) -> StringSearch.affix(s, a, true));
    add("endswith", "/ suffix! start end", (rt, s, a) -> StringSearch.affix(s, a, false));
    add("partition", "/ separator!", (rt, s, a) -> StringSearch.partition(s, a, false));
    add("rpartition", "/ separator!", (rt, s, a) -> StringSearch.partition(s, a, true));
    add("expandtabs", "tabsize", (rt, s, a) -> expandTabs(rt, s, a));
    add("format", "/ * **", (rt, s, a) -> new BraceFormat(rt, a.rest(), a.keywords()).format(s));
    add("format_map", "/ mapping!", (rt, s, a) -> formatMap(rt, s, a));
    add("join", "/ items!", (rt, s, a) -> join(rt, s, a.get(0)));
    add("removeprefix", "/ prefix!", (rt, s, a) -> removePrefix(s, a.text(0)));
    add("removesuffix", "/ suffix!", (rt, s, a) -> removeSuffix(s, a.text(0)));
    add("replace", "/ old! new! count", (rt, s, a) -> replace(rt, s, a));
    add("split", "sep maxsplit", (rt, s, a) -> split(rt, s, a, false));
    add("rsplit", "sep maxsplit", (rt, s, a) -> split(rt, s, a, true));
    add("splitlines", "keepends", (rt, s, a) -> lines(rt, s, a));
    add("strip", "/ chars", (rt, s, a) -> strip(rt, s, a, true, true));
    add("lstrip", "/ chars", (rt, s, a) -> strip(rt, s, a, true, false));
    add("rstrip", "/ chars", (rt, s, a) -> strip(rt, s, a, false, true));
    add("maketrans", "/ from! to delete", (rt, s, a) -> Translation.table(rt, a));
    add("translate", "/ table!", (rt, s, a) -> Translation.translate(rt, s, a.get(0)));
    add("encode", "encoding errors", (rt, s, a) -> encode());
  }

  private StringMethods() {}

  private static void add(String name, String parameters, Body body) {
    METHODS.put(name, new Method(new Signature(name, parameters), body));
  }

  private static void change(String name, Change change) {
    add(
        name,
        "",
        (rt, s, a) -> {
          rt.budget().characters(s.text().length());
          return s.with(change.apply(s.text()));
        });
  }

  private static void check(String name, IntPredicate each) {
    add(name, "", (rt, s, a) -> Value.Bool.of(!s.isEmpty() && all(s, each)));
  }

  private static boolean all(Str s, IntPredicate each) {
    return s.text().codePoints().allMatch(each);
  }

  /// The method `name` of `str`, or null when there is none.
  static @Nullable Value bind(Str str, String name) {
    Method method = METHODS.get(name);
    return method == null
        ? null
        : new Builtin(
            method.signature(),
            "builtin_function_or_method",
            (runtime, arguments) -> {
              runtime.budget().steps(str.text().length() >> 6);
              return method.body().call(runtime, str, arguments);
            });
  }

  private static Value expandTabs(Rendering rt, Str s, Signature.Bound a) {
    rt.budget().characters(s.text().length());
    return s.with(Strings.expandTabs(s.text(), a.integer(0, 8), rt.budget()));
  }

  private static Value formatMap(Rendering rt, Str s, Signature.Bound a) {
    if (!(a.get(0) instanceof Dict dict)) {
      throw new TemplateException("'format_map' needs a dictionary");
    }
    Map<String, Value> names = new HashMap<>();
    for (Dict.Entry entry : dict.entries()) {
      if (entry.key() instanceof Str key) {
        names.put(key.text(), entry.value());
      }
    }
    return new BraceFormat(rt, List.of(), names).format(s);
  }

  static Value join(Rendering rt, Str separator, Value items) {
    StringBuilder out = new StringBuilder();
    int index = 0;
    for (Value item : Iteration.list(items, rt.budget())) {
      if (!(item instanceof Str part)) {
        throw new TemplateException(
            "'join' needs strings but item " + index + " is '" + Types.name(item) + "'");
      }
      rt.budget().characters((long) part.text().length() + separator.text().length());
      if (index++ > 0) {
        out.append(separator.text());
      }
      out.append(separator.markup() ? Html.soft(part) : part.text());
    }
    return separator.with(out.toString());
  }

  private static Value removePrefix(Str s, String prefix) {
    return s.text().startsWith(prefix) ? s.with(s.text().substring(prefix.length())) : s;
  }

  private static Value removeSuffix(Str s, String suffix) {
    String text = s.text();
    return text.endsWith(suffix) ? s.with(text.substring(0, text.length() - suffix.length())) : s;
  }

  private static Value replace(Rendering rt, Str s, Signature.Bound a) {
    int count = a.integer(2, -1);
    return s.with(Strings.replace(s.text(), a.text(0), a.text(1), count, rt.budget()));
  }

  private static Value split(Rendering rt, Str s, Signature.Bound a, boolean fromRight) {
    int limit = a.integer(1, -1);
    rt.budget().characters(s.text().length());
    List<String> parts;
    if (a.present(0)) {
      String separator = a.text(0);
      parts =
          fromRight
              ? Strings.splitFromRight(s.text(), separator, limit)
              : Strings.split(s.text(), separator, limit);
    } else {
      parts =
          fromRight
              ? Strings.splitSpaceFromRight(s.text(), limit)
              : Strings.splitSpace(s.text(), limit);
    }
    return list(rt, s, parts);
  }

  private static Value lines(Rendering rt, Str s, Signature.Bound a) {
    rt.budget().characters(s.text().length());
    return list(rt, s, Strings.lines(s.text(), a.truth(0, false)));
  }

  private static Value list(Rendering rt, Str s, List<String> parts) {
    rt.budget().items(parts.size());
    List<Value> items = new ArrayList<>(parts.size());
    for (String part : parts) {
      items.add(s.with(part));
    }
    return Value.Sequence.list(items);
  }

  static Value strip(Rendering rt, Str s, Signature.Bound a, boolean left, boolean right) {
    rt.budget().steps(s.text().length() >> 6);
    String text = s.text();
    if (a.present(0)) {
      String chars = a.text(0);
      rt.budget().steps((long) text.length() * chars.length() >> 10);
      text = left ? Strings.stripLeft(text, chars) : text;
      text = right ? Strings.stripRight(text, chars) : text;
    } else {
      text = left ? Strings.stripLeft(text) : text;
      text = right ? Strings.stripRight(text) : text;
    }
    return s.with(text);
  }

  private static Value encode() {
    throw new TemplateException("'encode' is not available: templates have no bytes");
  }
}
