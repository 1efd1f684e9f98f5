package io.kvasir.model.template;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;

/// Filters for addresses and markup attributes.
final class UrlFilters {
  private static final String UNRESERVED = "_.-~";

  private UrlFilters() {}

  static Value encode(Rendering rt, Value value) {
    if (value instanceof Str || !Iteration.isIterable(value)) {
      return quote(rt, rt.str(value), false);
    }
    Value pairs = value instanceof Dict d ? new Value.View(d, Value.View.Kind.ITEMS) : value;
    StringBuilder out = new StringBuilder();
    for (Value pair : Iteration.list(pairs, rt.budget())) {
      List<Value> parts = Iteration.list(pair, rt.budget());
      if (parts.size() != 2) {
        throw new TemplateException("'urlencode' needs pairs of a key and a value");
      }
      out.append(out.isEmpty() ? "" : "&")
          .append(quote(rt, rt.str(parts.get(0)), true).text())
          .append('=')
          .append(quote(rt, rt.str(parts.get(1)), true).text());
    }
    return rt.text(out.toString());
  }

  private static Str quote(Rendering rt, String text, boolean query) {
    rt.budget().characters(3L * text.length());
    StringBuilder out = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain =
          c >= 'a' && c <= 'z'
              || c >= 'A' && c <= 'Z'
              || c >= '0' && c <= '9'
              || UNRESERVED.indexOf(c) >= 0;
      if (plain || c == '/' && !query) {
        out.append(c);
      } else if (c == ' ' && query) {
        out.append('+');
      } else {
        out.append('%')
            .append(Character.toUpperCase(Character.forDigit(c >> 4, 16)))
            .append(Character.toUpperCase(Character.forDigit(c & 15, 16)));
      }
    }
    return new Str(out.toString());
  }

  /// Makes links of the addresses in a text; the text is not escaped, as `autoescape` is off.
  static Value urlize(Rendering rt, Value value, Signature.Bound a) {
    String text = rt.str(value);
    rt.budget().characters(4L * text.length());
    TreeSet<String> rel = new TreeSet<>(List.of("noopener"));
    if (a.present(3)) {
      rel.addAll(Strings.splitSpace(a.text(3), -1));
    }
    if (a.truth(1, false)) {
      rel.add("nofollow");
    }
    String target = a.present(2) ? " target=\"" + Html.escape(a.text(2)) + "\"" : "";
    int limit = a.present(0) ? Math.max(0, a.integer(0, 0)) : Integer.MAX_VALUE;
    String attributes = " rel=\"" + String.join(" ", rel) + "\"" + target;
    StringBuilder out = new StringBuilder();
    String escaped = Html.escape(text);
    int at = 0;
    while (at < escaped.length()) {
      int end = at;
      boolean space = Chars.isSpace(escaped.charAt(at));
      while (end < escaped.length() && Chars.isSpace(escaped.charAt(end)) == space) {
        end++;
      }
      appendLinked(out, escaped.substring(at, end), attributes, limit);
      at = end;
    }
    return rt.text(out.toString());
  }

  /// Appends a word, as a link where it is an address; punctuation around it stays outside.
  private static void appendLinked(StringBuilder out, String word, String attributes, int limit) {
    String head = word.startsWith("(") ? "(" : word.startsWith("&lt;") ? "&lt;" : "";
    String url = word.substring(head.length());
    int end = url.length();
    while (end > 0 && ".,)".indexOf(url.charAt(end - 1)) >= 0) {
      end--;
    }
    end = url.startsWith("&gt;", end - 4) ? end - 4 : end;
    String tail = url.substring(end);
    url = url.substring(0, end);
    String lower = url.toLowerCase(Locale.ROOT);
    boolean web = lower.startsWith("http://") || lower.startsWith("https://");
    boolean bare = lower.startsWith("www.");
    int sign = url.indexOf('@');
    boolean mail = !web && !bare && sign > 0 && url.indexOf('.', sign) > sign + 1;
    if (!web && !bare && !mail) {
      out.append(word);
      return;
    }
    String shown = !mail && url.length() > limit ? url.substring(0, limit) + "..." : url;
    String scheme = mail ? "mailto:" : bare ? "https://" : "";
    out.append(head).append("<a href=\"").append(scheme).append(url).append('"');
    out.append(mail ? "" : attributes).append('>').append(shown).append("</a>").append(tail);
  }

  static Value xmlAttributes(Rendering rt, Value value, Signature.Bound a) {
    if (!(value instanceof Dict dict)) {
      throw value instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException("'xmlattr' needs a dictionary, not '" + Types.name(value) + "'");
    }
    StringBuilder out = new StringBuilder();
    for (Dict.Entry entry : dict.entries()) {
      if (entry.value() == Value.None.NONE || entry.value() instanceof Value.Undefined) {
        continue;
      }
      String key = rt.str(entry.key());
      for (int i = 0; i < key.length(); i++) {
        char c = key.charAt(i);
        if (c == '/' || c == '>' || c == '=' || c < 128 && Chars.isSpace(c)) {
          throw new TemplateException("invalid character in the attribute name '" + key + "'");
        }
      }
      out.append(out.isEmpty() ? "" : " ")
          .append(Html.escaped(entry.key(), rt.budget()).text())
          .append("=\"")
          .append(Html.escaped(entry.value(), rt.budget()).text())
          .append('"');
    }
    boolean space = a.truth(0, true) && !out.isEmpty();
    return new Str(space ? " " + out : out.toString(), rt.autoescape());
  }
}
