package io.kvasir.model.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Numbers as Python reads and writes them.
final class NumberText {
  /// The most decimal digits that Python converts between text and whole numbers.
  static final int MAX_DIGITS = 4300;

  private NumberText() {}

  /// The end of a float literal starting at `from`, or -1 when none stands there.
  static int floatEnd(String s, int from) {
    int p = digitsEnd(s, from);
    if (p < 0) {
      return -1;
    }
    boolean fraction = false;
    if (p < s.length() && s.charAt(p) == '.') {
      int end = digitsEnd(s, p + 1);
      if (end > 0) {
        fraction = true;
        p = end;
      }
    }
    if (p < s.length() && (s.charAt(p) == 'e' || s.charAt(p) == 'E')) {
      int q = p + 1;
      if (q < s.length() && (s.charAt(q) == '+' || s.charAt(q) == '-')) {
        q++;
      }
      int end = digitsEnd(s, q);
      if (end > 0) {
        return end;
      }
    }
    return fraction ? p : -1;
  }

  /// The end of decimal digits with single `_` between them, or -1 when none stand at `from`.
  private static int digitsEnd(String s, int from) {
    return groupEnd(s, from, 10);
  }

  private static int groupEnd(String s, int from, int radix) {
    int p = from;
    int end = -1;
    while (p < s.length()) {
      char c = s.charAt(p);
      if (c < 128 && Character.digit(c, radix) >= 0) {
        end = ++p;
      } else if (c == '_' && end == p) {
        p++;
      } else {
        break;
      }
    }
    return end;
  }

  /// The end of an integer literal starting with a digit at `from`.
  static int integerEnd(String s, int from) {
    int radix = prefixRadix(s, from);
    if (radix != 10) {
      int body = from + 2;
      if (body < s.length() && s.charAt(body) == '_') {
        body++;
      }
      int end = groupEnd(s, body, radix);
      if (end > 0) {
        return end;
      }
    }
    if (s.charAt(from) == '0') {
      int p = from + 1;
      int end = p;
      while (p < s.length() && (s.charAt(p) == '0' || s.charAt(p) == '_' && end == p)) {
        end = s.charAt(p++) == '0' ? p : end;
      }
      return end;
    }
    return groupEnd(s, from, 10);
  }

  private static int prefixRadix(String s, int from) {
    if (s.charAt(from) != '0' || from + 1 >= s.length()) {
      return 10;
    }
    return switch (s.charAt(from + 1)) {
      case 'x', 'X' -> 16;
      case 'o', 'O' -> 8;
      case 'b', 'B' -> 2;
      default -> 10;
    };
  }

  /// The value of an integer literal without `_`.
  static BigInteger integerLiteral(String literal) {
    int radix = prefixRadix(literal, 0);
    return radix == 10 ? new BigInteger(literal) : new BigInteger(literal.substring(2), radix);
  }

  /// What `int(text, base)` gives, or null where it is no number. Base 0 reads the prefix.
  static @Nullable BigInteger parseInt(String text, int base) {
    String s = Strings.strip(text);
    boolean negative = s.startsWith("-");
    if (negative || s.startsWith("+")) {
      s = s.substring(1);
    }
    int radix = base;
    int prefix = s.isEmpty() ? 10 : prefixRadix(s, 0);
    if (prefix != 10 && (base == 0 || base == prefix)) {
      radix = prefix;
      s = s.substring(s.length() > 2 && s.charAt(2) == '_' ? 3 : 2);
    } else if (base == 0) {
      radix = 10;
      if (s.length() > 1 && s.charAt(0) == '0' && !s.replace("_", "").matches("0+")) {
        return null;
      }
    }
    String digits = digitsOf(s, radix);
    if (digits == null || digits.length() > MAX_DIGITS) {
      return null;
    }
    BigInteger value = new BigInteger(digits, radix);
    return negative ? value.negate() : value;
  }

  /// ASCII digits of `s` without single underscores between them, or null.
  private static @Nullable String digitsOf(String s, int radix) {
    StringBuilder out = new StringBuilder(s.length());
    boolean afterDigit = false;
    for (int i = 0; i < s.length(); ) {
      int c = s.codePointAt(i);
      int digit = Character.digit(c, radix);
      if (digit >= 0) {
        out.append(Character.forDigit(digit, radix));
        afterDigit = true;
      } else if (c == '_' && afterDigit) {
        afterDigit = false;
      } else {
        return null;
      }
      i += Character.charCount(c);
    }
    return afterDigit ? out.toString() : null;
  }

  /// What `float(text)` gives, or null where it is no number.
  static @Nullable Double parseFloat(String text) {
    String s = Strings.strip(text).toLowerCase(Locale.ROOT);
    String unsigned = s.startsWith("-") || s.startsWith("+") ? s.substring(1) : s;
    double sign = s.startsWith("-") ? -1 : 1;
    switch (unsigned) {
      case "inf", "infinity" -> {
        return sign * Double.POSITIVE_INFINITY;
      }
      case "nan" -> {
        return Double.NaN;
      }
      default -> {}
    }
    String digits = asciiFloat(unsigned);
    return digits == null ? null : sign * Double.parseDouble(digits);
  }

  private static @Nullable String asciiFloat(String s) {
    StringBuilder out = new StringBuilder(s.length());
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      int digit = Character.digit(c, 10);
      if (digit >= 0) {
        out.append((char) ('0' + digit));
      } else if (c == '_') {
        boolean between =
            i > 0
                && i + 1 < s.length()
                && Character.isDigit(s.charAt(i - 1))
                && Character.isDigit(s.charAt(i + 1));
        if (!between) {
          return null;
        }
      } else {
        out.append(c);
      }
    }
    String ascii = out.toString();
    if (ascii.isEmpty() || ascii.length() > 10_000) {
      return null;
    }
    String shape = ascii.startsWith(".") ? "0" + ascii : ascii;
    int dot = shape.indexOf('.');
    if (dot >= 0 && (dot + 1 == shape.length() || !Character.isDigit(shape.charAt(dot + 1)))) {
      shape = shape.substring(0, dot) + ".0" + shape.substring(dot + 1);
      if (ascii.startsWith(".")) {
        return null;
      }
    }
    return Character.isDigit(shape.charAt(0)) && isFloatShape(shape) ? shape : null;
  }

  private static boolean isFloatShape(String s) {
    int end = floatEnd(s, 0);
    return end == s.length() || integerDigits(s);
  }

  private static boolean integerDigits(String s) {
    for (int i = 0; i < s.length(); i++) {
      if (s.charAt(i) < '0' || s.charAt(i) > '9') {
        return false;
      }
    }
    return true;
  }

  /// `repr` of a float: the shortest digits that read back as the same value, with an exponent
  /// outside 1e-4 ..< 1e16.
  static String repr(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal shortest = new BigDecimal(Double.toString(Math.abs(value))).stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    String sign = value < 0 ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
      String mantissa =
          digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
      String e = Integer.toString(Math.abs(exponent));
      return sign + mantissa + (exponent < 0 ? "e-" : "e+") + (e.length() < 2 ? "0" + e : e);
    }
    String plain = shortest.toPlainString();
    return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
  }

  /// `str` of a whole number.
  static String text(BigInteger value) {
    if (value.bitLength() > 14_000 && value.abs().toString().length() > MAX_DIGITS) {
      throw new TemplateException(
          "a whole number of more than " + MAX_DIGITS + " digits cannot be printed");
    }
    return value.toString();
  }
}
