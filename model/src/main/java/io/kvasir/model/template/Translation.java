package io.kvasir.model.template;

/// `str.maketrans` and `str.translate`.
final class Translation {
  private Translation() {}

  static Value table(Rendering rt, Signature.Bound a) {
    Dict table = new Dict();
    if (!a.has(1)) {
      if (!(a.get(0) instanceof Dict dict)) {
        throw new TemplateException("'maketrans' with one argument needs a dictionary");
      }
      for (Dict.Entry entry : dict.entries()) {
        Value key = entry.key();
        if (key instanceof Str s && s.length() == 1) {
          key = Value.Int.of(s.text().codePointAt(0));
        }
        table.put(key, entry.value());
      }
      return table;
    }
    int[] from = a.text(0).codePoints().toArray();
    int[] to = a.text(1).codePoints().toArray();
    if (from.length != to.length) {
      throw new TemplateException("the first two arguments of 'maketrans' differ in length");
    }
    rt.budget().items(from.length);
    for (int i = 0; i < from.length; i++) {
      table.put(Value.Int.of(from[i]), Value.Int.of(to[i]));
    }
    if (a.has(2)) {
      a.text(2).codePoints().forEach(c -> table.put(Value.Int.of(c), Value.None.NONE));
    }
    return table;
  }

  static Value translate(Rendering rt, Str s, Value table) {
    if (!(table instanceof Dict dict)) {
      throw new TemplateException("'translate' needs a dictionary");
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < s.text().length(); ) {
      int c = s.text().codePointAt(i);
      i += Character.charCount(c);
      Value to = dict.get(Value.Int.of(c));
      rt.budget().items(1);
      switch (to) {
        case null -> out.appendCodePoint(c);
        case Value.None n -> {}
        case Str text -> {
          rt.budget().characters(text.text().length());
          out.append(text.text());
        }
        default -> {
          int replacement = Types.index(to, "a translation");
          if (!Character.isValidCodePoint(replacement)) {
            throw new TemplateException(replacement + " is no Unicode character");
          }
          out.appendCodePoint(replacement);
        }
      }
    }
    return s.with(out.toString());
  }
}
