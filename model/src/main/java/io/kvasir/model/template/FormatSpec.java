package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.Locale;

/// Python's format specification: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
///
/// @param fill one code point
/// @param align one of `< > ^ =`, `0` for zeros after the sign, or 0 for the default of the value
/// @param sign one of `+`, `-`, space
/// @param grouping `,` or `_`, or 0
/// @param precision -1 when absent
/// @param type 0 when absent
record FormatSpec(
    String fill,
    char align,
    char sign,
    boolean alternate,
    int width,
    char grouping,
    int precision,
    char type) {

  /// Wider fields and longer fractions are refused.
  private static final int MAX_WIDTH = 1_000_000;

  static FormatSpec parse(String spec) {
    return new Reader(spec).read();
  }

  String apply(Value value, Budget budget) {
    budget.characters(width);
    return switch (value) {
      case Str s -> string(s.text());
      case Value.Bool(boolean b) -> whole(b ? BigInteger.ONE : BigInteger.ZERO);
      case Value.Int(BigInteger i) -> whole(i);
      case Value.Real(double d) -> real(d);
      default -> throw unsupported(value);
    };
  }

  private TemplateException unsupported(Value value) {
    return new TemplateException(
        "a value of type '" + Types.name(value) + "' takes no format specification");
  }

  private String string(String text) {
    if (type != 0 && type != 's' || sign != '-' || align == '=' || grouping != 0) {
      throw new TemplateException("a string cannot be formatted as '" + type + "'");
    }
    Str str = new Str(text);
    String cut = precision >= 0 && precision < str.length() ? str.slice(0, precision) : text;
    return align == '0'
        ? cut + fill.repeat(Math.max(0, width - new Str(cut).length()))
        : pad("", cut, '<');
  }

  private String whole(BigInteger value) {
    if ("eEfFgG%".indexOf(type) >= 0 && type != 0) {
      return real(Arithmetic.toDouble(value));
    }
    String digits =
        switch (type) {
          case 0, 'd', 'n' -> NumberText.text(value.abs());
          case 'b' -> value.abs().toString(2);
          case 'o' -> value.abs().toString(8);
          case 'x' -> value.abs().toString(16);
          case 'X' -> value.abs().toString(16).toUpperCase(Locale.ROOT);
          case 'c' -> character(Types.clamp(value));
          default ->
              throw new TemplateException("a whole number cannot be formatted as '" + type + "'");
        };
    if (precision >= 0) {
      throw new TemplateException("a whole number takes no precision");
    }
    String prefix = alternate && "boxX".indexOf(type) >= 0 && type != 0 ? "0" + type : "";
    boolean decimal = type == 0 || type == 'd' || type == 'n';
    return numeric(value.signum() < 0, prefix, digits, "", decimal ? 3 : 4);
  }

  private static String character(int codePoint) {
    if (!Character.isValidCodePoint(codePoint)) {
      throw new TemplateException(codePoint + " is no Unicode character");
    }
    return Character.toString(codePoint);
  }

  private String real(double value) {
    boolean negative = value < 0 || value == 0 && 1 / value < 0;
    String text;
    if (type == 0 && precision < 0) {
      text = NumberText.repr(Math.abs(value));
    } else if (type == 0) {
      text = RealFormat.format(value, 'g', precision, false);
      text = Double.isFinite(value) && isWholeText(text) ? withPoint(text, value) : text;
    } else if (type == '%') {
      text = RealFormat.format(100 * value, 'f', precision < 0 ? 6 : precision, alternate) + "%";
    } else if ("eEfFgGn".indexOf(type) >= 0) {
      char presentation = type == 'n' ? 'g' : type;
      text = RealFormat.format(value, presentation, precision < 0 ? 6 : precision, alternate);
    } else {
      throw new TemplateException("a float cannot be formatted as '" + type + "'");
    }
    int end = 0;
    while (end < text.length() && Character.isDigit(text.charAt(end))) {
      end++;
    }
    return numeric(negative, "", text.substring(0, end), text.substring(end), 3);
  }

  private static boolean isWholeText(String text) {
    return text.indexOf('.') < 0 && text.indexOf('e') < 0;
  }

  /// Without a type a float keeps a digit after the point where the precision leaves room.
  private String withPoint(String text, double value) {
    return text.length() < precision || precision == 0 && text.length() < 1
        ? text + ".0"
        : RealFormat.format(value, 'e', Math.max(precision - 1, 0), false);
  }

  private String numeric(boolean negative, String prefix, String digits, String rest, int group) {
    String head = (negative ? "-" : sign == '-' ? "" : String.valueOf(sign)) + prefix;
    String body = digits;
    if (grouping != 0) {
      boolean zeros = fill.equals("0") && (align == '=' || align == '0');
      int room = zeros ? width - head.length() - rest.length() : 0;
      body = grouped(digits, group, room);
    }
    return pad(head, body + rest, '>');
  }

  /// `digits` with separators, with zeros in front up to `room` characters.
  private String grouped(String digits, int group, int room) {
    StringBuilder out = new StringBuilder();
    int written = 0;
    int at = digits.length() - 1;
    while (at >= 0 || out.length() < room) {
      if (written > 0 && written % group == 0) {
        out.append(grouping);
      }
      out.append(at >= 0 ? digits.charAt(at) : '0');
      at--;
      written++;
    }
    return out.reverse().toString();
  }

  private String pad(String head, String body, char usual) {
    int length = head.length() + body.codePointCount(0, body.length());
    int missing = width - length;
    if (missing <= 0) {
      return head + body;
    }
    return switch (align == 0 ? usual : align) {
      case '<' -> head + body + fill.repeat(missing);
      case '>' -> fill.repeat(missing) + head + body;
      case '=', '0' -> head + fill.repeat(missing) + body;
      default -> fill.repeat(missing / 2) + head + body + fill.repeat(missing - missing / 2);
    };
  }

  /// Reads a specification from left to right.
  private static final class Reader {
    private final String spec;
    private int at;

    Reader(String spec) {
      this.spec = spec;
    }

    FormatSpec read() {
      String fill = " ";
      char align = 0;
      int first = spec.isEmpty() ? 0 : Character.charCount(spec.codePointAt(0));
      if (first > 0 && first < spec.length() && isAlign(spec.charAt(first))) {
        fill = spec.substring(0, first);
        align = spec.charAt(first);
        at = first + 1;
      } else if (!spec.isEmpty() && isAlign(spec.charAt(0))) {
        align = spec.charAt(at++);
      }
      char sign = takeOneOf("+- ", '-');
      boolean alternate = takeOneOf("#", '\0') != 0;
      if (takeOneOf("0", '\0') != 0) {
        fill = align == 0 ? "0" : fill;
        align = align == 0 ? '0' : align;
      }
      int width = number();
      char grouping = takeOneOf(",_", '\0');
      int precision = -1;
      if (takeOneOf(".", '\0') != 0) {
        precision = number();
        if (precision < 0) {
          throw invalid();
        }
      }
      char type = at < spec.length() ? spec.charAt(at++) : 0;
      if (at < spec.length()) {
        throw invalid();
      }
      return new FormatSpec(
          fill, align, sign, alternate, Math.max(width, 0), grouping, precision, type);
    }

    private static boolean isAlign(char c) {
      return c == '<' || c == '>' || c == '^' || c == '=';
    }

    private char takeOneOf(String chars, char fallback) {
      if (at < spec.length() && chars.indexOf(spec.charAt(at)) >= 0) {
        return spec.charAt(at++);
      }
      return fallback;
    }

    private int number() {
      int start = at;
      int value = 0;
      while (at < spec.length() && spec.charAt(at) >= '0' && spec.charAt(at) <= '9') {
        value = value * 10 + spec.charAt(at++) - '0';
        if (value > MAX_WIDTH) {
          throw new TemplateException("a format width is larger than the allowed " + MAX_WIDTH);
        }
      }
      return at == start ? -1 : value;
    }

    private TemplateException invalid() {
      return new TemplateException("invalid format specification '" + spec + "'");
    }
  }
}
