package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.Locale;

/// `text % values`: C-like conversions, with values from a tuple or by name from a dictionary.
final class PercentFormat {
  private static final int MAX_WIDTH = 1_000_000;

  private final Budget budget;
  private String pattern = "";
  private Value values = Value.None.NONE;
  private boolean markup;
  private int at;
  private int used;

  PercentFormat(Budget budget) {
    this.budget = budget;
  }

  Str format(Str text, Value arguments) {
    pattern = text.text();
    values = arguments;
    markup = text.markup();
    budget.characters(pattern.length());
    StringBuilder out = new StringBuilder();
    while (at < pattern.length()) {
      char c = pattern.charAt(at++);
      if (c == '%') {
        String converted = conversion();
        budget.characters(converted.length());
        out.append(converted);
      } else {
        out.append(c);
      }
    }
    if (values instanceof Value.Sequence s && s.tuple() && used < s.items().size()
        || !isSeveral(values) && used == 0) {
      throw new TemplateException("not all arguments were used by the '%' format");
    }
    return text.with(out.toString());
  }

  /// Lists, dictionaries and the like may stay unused; one plain value may not.
  private static boolean isSeveral(Value values) {
    return Types.length(values) >= 0 && !(values instanceof Str);
  }

  private String conversion() {
    if (at < pattern.length() && pattern.charAt(at) == '%') {
      at++;
      return "%";
    }
    Value named = null;
    if (at < pattern.length() && pattern.charAt(at) == '(') {
      named = byName();
    }
    String flags = flags();
    int width = starOrNumber();
    if (width < 0) {
      flags = flags + "-";
      width = -width;
    }
    int precision = -1;
    if (at < pattern.length() && pattern.charAt(at) == '.') {
      at++;
      precision = Math.max(0, starOrNumber());
    }
    while (at < pattern.length() && "hlL".indexOf(pattern.charAt(at)) >= 0) {
      at++;
    }
    if (at >= pattern.length()) {
      throw new TemplateException("the '%' format ends inside a conversion");
    }
    char type = pattern.charAt(at++);
    Value value = named == null ? next() : named;
    if (markup) {
      value = Html.escaped(value, budget);
    }
    return pad(converted(type, value, flags, precision), flags, width, type);
  }

  private Value byName() {
    int open = 1;
    int end = at + 1;
    while (end < pattern.length() && open > 0) {
      char c = pattern.charAt(end++);
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    if (open > 0) {
      throw new TemplateException("a name in the '%' format has no ')'");
    }
    String name = pattern.substring(at + 1, end - 1);
    at = end;
    if (!(values instanceof Dict dict)) {
      throw new TemplateException("the '%' format names '" + name + "' but got no dictionary");
    }
    Value value = dict.get(name);
    if (value == null) {
      throw new TemplateException("the '%' format names '" + name + "', which was not given");
    }
    used++;
    return value;
  }

  private String flags() {
    int start = at;
    while (at < pattern.length() && "#0- +".indexOf(pattern.charAt(at)) >= 0) {
      at++;
    }
    return pattern.substring(start, at);
  }

  private int starOrNumber() {
    if (at < pattern.length() && pattern.charAt(at) == '*') {
      at++;
      return checked(Types.index(next(), "the width of a '%' format"));
    }
    int value = 0;
    while (at < pattern.length() && pattern.charAt(at) >= '0' && pattern.charAt(at) <= '9') {
      value = checked(value * 10 + pattern.charAt(at++) - '0');
    }
    return value;
  }

  private static int checked(int width) {
    if (Math.abs((long) width) > MAX_WIDTH) {
      throw new TemplateException(
          "a '%' format width of " + width + " is larger than " + MAX_WIDTH);
    }
    return width;
  }

  private Value next() {
    if (values instanceof Value.Sequence s && s.tuple()) {
      if (used >= s.items().size()) {
        throw new TemplateException("not enough arguments for the '%' format");
      }
      return s.items().get(used++);
    }
    if (used++ > 0) {
      throw new TemplateException("not enough arguments for the '%' format");
    }
    return values;
  }

  private String converted(char type, Value value, String flags, int precision) {
    return switch (type) {
      case 's' -> cut(Repr.str(value, budget), precision);
      case 'r' -> cut(Repr.repr(value, budget), precision);
      case 'a' -> cut(Repr.ascii(value, budget), precision);
      case 'c' -> character(value);
      case 'd', 'i', 'u' -> signed(digits(truncated(value), 10, precision), value, flags);
      case 'o', 'x', 'X' -> based(type, value, flags, precision);
      case 'e', 'E', 'f', 'F', 'g', 'G' -> {
        double real = real(value);
        boolean keepZeros = flags.indexOf('#') >= 0;
        String text = RealFormat.format(real, type, precision < 0 ? 6 : precision, keepZeros);
        boolean negative = real < 0 || real == 0 && 1 / real < 0;
        yield sign(negative, flags) + text;
      }
      default -> throw new TemplateException("unsupported '%' format conversion '" + type + "'");
    };
  }

  private static String cut(String text, int precision) {
    Str str = new Str(text);
    return precision >= 0 && precision < str.length() ? str.slice(0, precision) : text;
  }

  private static String character(Value value) {
    if (value instanceof Str s && s.length() == 1) {
      return s.text();
    }
    int c = Types.index(value, "the value of '%c'");
    if (!Character.isValidCodePoint(c)) {
      throw new TemplateException(c + " is no Unicode character");
    }
    return Character.toString(c);
  }

  private static BigInteger truncated(Value value) {
    if (value instanceof Value.Real(double d)) {
      if (!Double.isFinite(d)) {
        throw new TemplateException("cannot convert " + NumberText.repr(d) + " to a whole number");
      }
      return new java.math.BigDecimal(d).toBigInteger();
    }
    return Types.whole(value, "the value of '%d'");
  }

  private static double real(Value value) {
    if (!Types.isNumber(value)) {
      throw value instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException("the '%' format needs a number, not '" + Types.name(value) + "'");
    }
    return Arithmetic.toDouble(value);
  }

  private static String digits(BigInteger value, int radix, int precision) {
    String digits = radix == 10 ? NumberText.text(value.abs()) : value.abs().toString(radix);
    return precision > digits.length() ? "0".repeat(precision - digits.length()) + digits : digits;
  }

  private static String signed(String digits, Value value, String flags) {
    return sign(truncated(value).signum() < 0, flags) + digits;
  }

  private static String based(char type, Value value, String flags, int precision) {
    BigInteger whole = Types.whole(value, "the value of '%" + type + "'");
    String text = digits(whole, type == 'o' ? 8 : 16, precision);
    String prefix = flags.indexOf('#') >= 0 ? "0" + type : "";
    text = type == 'X' ? text.toUpperCase(Locale.ROOT) : text;
    return sign(whole.signum() < 0, flags) + prefix + text;
  }

  private static String sign(boolean negative, String flags) {
    if (negative) {
      return "-";
    }
    return flags.indexOf('+') >= 0 ? "+" : flags.indexOf(' ') >= 0 ? " " : "";
  }

  private String pad(String text, String flags, int width, char type) {
    int missing = width - text.codePointCount(0, text.length());
    if (missing <= 0) {
      return text;
    }
    budget.characters(missing);
    if (flags.indexOf('-') >= 0) {
      return text + " ".repeat(missing);
    }
    if (flags.indexOf('0') >= 0 && "diuoxXeEfFgG".indexOf(type) >= 0) {
      int head = "+- ".indexOf(text.charAt(0)) >= 0 ? 1 : 0;
      if (flags.indexOf('#') >= 0 && "oxX".indexOf(type) >= 0) {
        head += 2;
      }
      return text.substring(0, head) + "0".repeat(missing) + text.substring(head);
    }
    return " ".repeat(missing) + text;
  }
}
