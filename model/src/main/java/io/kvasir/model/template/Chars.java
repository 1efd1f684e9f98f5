package io.kvasir.model.template;

/// The character classes of Python strings, where they differ from Java's.
final class Chars {
  private Chars() {}

  /// What `str.isspace`, `str.split` and `str.strip` call white space; all of it lies in the BMP.
  static boolean isSpace(int c) {
    if (c <= 0x20) {
      return c == 0x20 || c >= 0x09 && c <= 0x0d || c >= 0x1c && c <= 0x1f;
    }
    return switch (c) {
      case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 -> true;
      default -> c >= 0x2000 && c <= 0x200a;
    };
  }

  /// What `str.splitlines` ends a line at.
  static boolean isLineBreak(char c) {
    return c >= 0x0a && c <= 0x0d
        || c >= 0x1c && c <= 0x1e
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  static boolean isAlpha(int c) {
    return Character.isLetter(c);
  }

  static boolean isDecimal(int c) {
    return Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER;
  }

  /// Decimal digits and the superscript, subscript and circled digits.
  static boolean isDigit(int c) {
    return isDecimal(c)
        || c == 0xb2
        || c == 0xb3
        || c == 0xb9
        || c == 0x2070
        || c >= 0x2074 && c <= 0x2079
        || c >= 0x2080 && c <= 0x2089
        || c >= 0x2460 && c <= 0x2468
        || c >= 0x2474 && c <= 0x247c
        || c >= 0x2488 && c <= 0x2490
        || c >= 0x24f5 && c <= 0x24fd
        || c >= 0x2776 && c <= 0x277e
        || c >= 0x2780 && c <= 0x2788
        || c >= 0x278a && c <= 0x2792;
  }

  static boolean isNumeric(int c) {
    return isDigit(c)
        || switch (Character.getType(c)) {
          case Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
          case Character.OTHER_LETTER -> isHanNumber(c);
          default -> false;
        };
  }

  private static boolean isHanNumber(int c) {
    return "一二三四五六七八九十百千万億兆零〇壹贰叁肆伍陆柒捌玖拾佰仟".indexOf(c) >= 0;
  }

  static boolean isAlphanumeric(int c) {
    return isAlpha(c) || isNumeric(c);
  }

  static boolean isUpper(int c) {
    return Character.isUpperCase(c);
  }

  static boolean isLower(int c) {
    return Character.isLowerCase(c);
  }

  /// What `repr` shows as it is rather than as an escape.
  static boolean isPrintable(int c) {
    if (c < 0x7f) {
      return c >= 0x20;
    }
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SPACE_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
