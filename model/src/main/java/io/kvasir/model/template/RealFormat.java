package io.kvasir.model.template;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/// Floats in the `e`, `f`, `g` and `%` presentations; rounded from the exact value, ties to even.
final class RealFormat {
  /// More digits than this after the point are refused.
  private static final int MAX_PRECISION = 10_000;

  private RealFormat() {}

  /// The absolute value in one of the presentations `e E f F g G`; the sign is the caller's.
  ///
  /// @param keepZeros the `#` flag: `g` keeps trailing zeros and the point
  static String format(double value, char presentation, int precision, boolean keepZeros) {
    if (precision > MAX_PRECISION) {
      throw new TemplateException(
          "a precision of " + precision + " is larger than the allowed " + MAX_PRECISION);
    }
    boolean upper = Character.isUpperCase(presentation);
    String text = special(value);
    if (text == null) {
      BigDecimal exact = new BigDecimal(Math.abs(value));
      text =
          switch (presentation) {
            case 'f', 'F' -> fixed(exact, precision) + (precision == 0 && keepZeros ? "." : "");
            case 'e', 'E' -> scientific(exact, precision, keepZeros);
            default -> general(exact, Math.max(1, precision), keepZeros);
          };
    }
    return upper ? text.toUpperCase(java.util.Locale.ROOT) : text;
  }

  private static @org.jspecify.annotations.Nullable String special(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    return Double.isInfinite(value) ? "inf" : null;
  }

  private static String fixed(BigDecimal exact, int precision) {
    return exact.setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
  }

  private static String scientific(BigDecimal exact, int precision, boolean keepZeros) {
    Digits digits = digits(exact, precision + 1);
    return mantissa(digits.text(), keepZeros) + exponent(digits.exponent());
  }

  private static String general(BigDecimal exact, int precision, boolean keepZeros) {
    Digits digits = digits(exact, precision);
    int e = digits.exponent();
    String text = keepZeros ? digits.text() : withoutTrailingZeros(digits.text());
    if (e < -4 || e >= precision) {
      return mantissa(text, keepZeros) + exponent(e);
    }
    if (e < 0) {
      return "0." + "0".repeat(-e - 1) + text;
    }
    if (text.length() <= e + 1) {
      return text + "0".repeat(e + 1 - text.length()) + (keepZeros ? "." : "");
    }
    return text.substring(0, e + 1) + "." + text.substring(e + 1);
  }

  /// Significant digits `d.ddd * 10^exponent`.
  private record Digits(String text, int exponent) {}

  private static Digits digits(BigDecimal exact, int count) {
    if (exact.signum() == 0) {
      return new Digits("0".repeat(count), 0);
    }
    BigDecimal rounded = exact.round(new MathContext(count, RoundingMode.HALF_EVEN));
    String text = rounded.unscaledValue().toString();
    int exponent = text.length() - 1 - rounded.scale();
    if (text.length() < count) {
      text = text + "0".repeat(count - text.length());
    }
    return new Digits(text, exponent);
  }

  private static String mantissa(String digits, boolean keepPoint) {
    if (digits.length() == 1) {
      return keepPoint ? digits + "." : digits;
    }
    return digits.charAt(0) + "." + digits.substring(1);
  }

  private static String exponent(int e) {
    String text = Integer.toString(Math.abs(e));
    return (e < 0 ? "e-" : "e+") + (text.length() < 2 ? "0" + text : text);
  }

  private static String withoutTrailingZeros(String digits) {
    int end = digits.length();
    while (end > 1 && digits.charAt(end - 1) == '0') {
      end--;
    }
    return digits.substring(0, end);
  }

  /// `value` rounded to `precision` decimals as Python's `round` does.
  static double round(double value, int precision) {
    if (!Double.isFinite(value) || precision > 330) {
      return value;
    }
    if (precision < -330) {
      return Math.copySign(0.0, value);
    }
    double rounded =
        new BigDecimal(value).setScale(precision, RoundingMode.HALF_EVEN).doubleValue();
    return rounded == 0 ? Math.copySign(0.0, value) : rounded;
  }
}
