package io.kvasir.model.template;

/// The methods of strings that fill up to a width.
final class Padding {
  private Padding() {}

  static Value center(Rendering rt, Str s, Signature.Bound a) {
    int width = a.integer(0, 0);
    int missing = width - s.length();
    int left = missing / 2 + (missing & width & 1);
    return padded(rt, s, a, missing, left);
  }

  static Value left(Rendering rt, Str s, Signature.Bound a) {
    return padded(rt, s, a, a.integer(0, 0) - s.length(), 0);
  }

  static Value right(Rendering rt, Str s, Signature.Bound a) {
    int missing = a.integer(0, 0) - s.length();
    return padded(rt, s, a, missing, missing);
  }

  private static Value padded(Rendering rt, Str s, Signature.Bound a, int missing, int left) {
    String fill = a.text(1, " ");
    if (fill.codePointCount(0, fill.length()) != 1) {
      throw new TemplateException("the fill of '" + a.owner() + "' must be one character");
    }
    if (missing <= 0) {
      return s;
    }
    rt.budget().characters(s.text().length() + 2L * missing);
    return s.with(fill.repeat(left) + s.text() + fill.repeat(missing - left));
  }

  static Value zeros(Rendering rt, Str s, Signature.Bound a) {
    int missing = a.integer(0, 0) - s.length();
    if (missing <= 0) {
      return s;
    }
    rt.budget().characters((long) s.text().length() + missing);
    String text = s.text();
    int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
    return s.with(text.substring(0, sign) + "0".repeat(missing) + text.substring(sign));
  }
}
