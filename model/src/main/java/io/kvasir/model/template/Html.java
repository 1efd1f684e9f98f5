package io.kvasir.model.template;

/// Escaping for HTML, which the `escape` filter and `autoescape` blocks ask for.
final class Html {
  private Html() {}

  static String escape(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '"' -> out.append("&#34;");
        case '\'' -> out.append("&#39;");
        default -> out.append(c);
      }
    }
    return out.toString();
  }

  /// The text of a string that is escaped already, or else its escaped text.
  static String soft(Str str) {
    return str.markup() ? str.text() : escape(str.text());
  }

  /// Any value as escaped text.
  static Str escaped(Value value, Budget budget) {
    if (value instanceof Str str && str.markup()) {
      return str;
    }
    String text = Repr.str(value, budget);
    budget.characters(6L * text.length());
    return new Str(escape(text), true);
  }

  static String unescape(String text) {
    return text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", "\u00a0")
        .replace("&amp;", "&");
  }
}
