package io.kvasir.sim;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// Reads one JSON object field by field from the bytes of a line (RFC 8259), without building a
/// tree: a trace of millions of block numbers costs no object per number.
///
/// Strict about what is asked for; what is skipped is only followed to its end.
final class JsonLine {
  private static final int MAX_DEPTH = 64;

  private byte[] text = new byte[0];
  private int end;
  private int at;
  private boolean first;

  /// Starts with the object that the first `length` bytes hold.
  void open(byte[] bytes, int length) {
    text = bytes;
    end = length;
    at = 0;
    // A byte order mark means nothing.
    if (length >= 3 && bytes[0] == (byte) 0xEF && bytes[1] == (byte) 0xBB) {
      at = 3;
    }
    expect('{', "a JSON object should start here");
    first = true;
  }

  /// The next key, whose value must be read or skipped then; null after the last one.
  @Nullable String nextKey() {
    skipSpace();
    if (peek() == '}') {
      at++;
      skipSpace();
      if (at < end) {
        throw wrong("text after the end of the object");
      }
      return null;
    }
    if (!first) {
      expect(',', "',' or '}' is missing");
    }
    first = false;
    skipSpace();
    String key = readText();
    expect(':', "':' is missing");
    skipSpace();
    return key;
  }

  /// A whole number of 64 bits, with or without sign; `1.0` and `1e3` are whole, too.
  long readLong() {
    int start = at;
    boolean negative = peek() == '-';
    at += negative ? 1 : 0;
    int digits = at;
    long whole = 0;
    while (at < end && text[at] >= '0' && text[at] <= '9') {
      whole = whole * 10 + (text[at] - '0');
      at++;
    }
    if (at > digits && at - digits <= 18 && (at == end || !isNumberPart(text[at]))) {
      return negative ? -whole : whole;
    }
    at = start;
    String literal = readLiteral();
    try {
      return negative ? Long.parseLong(literal) : Long.parseUnsignedLong(literal);
    } catch (NumberFormatException e) {
      double value = parse(literal);
      if (value == Math.rint(value) && Math.abs(value) <= 1L << 53) {
        return (long) value;
      }
      throw new TraceFormatException("a whole number is wanted, not " + clip(literal));
    }
  }

  /// A number.
  double readNumber() {
    return parse(readLiteral());
  }

  private String readLiteral() {
    int start = at;
    while (at < end && isNumberPart(text[at])) {
      at++;
    }
    if (at == start) {
      throw wrong("a number is wanted");
    }
    return new String(text, start, Math.min(at - start, 400), StandardCharsets.US_ASCII);
  }

  private static double parse(String literal) {
    try {
      return Double.parseDouble(literal);
    } catch (NumberFormatException e) {
      throw new TraceFormatException("'" + clip(literal) + "' is not a number");
    }
  }

  private static boolean isNumberPart(byte c) {
    return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  }

  /// Goes into an array; then [#nextItem] before each value.
  void openArray() {
    expect('[', "an array is wanted");
    first = true;
  }

  /// Whether another item follows; false ends the array.
  boolean nextItem() {
    skipSpace();
    if (peek() == ']') {
      at++;
      first = false;
      return false;
    }
    if (!first) {
      expect(',', "',' or ']' is missing");
      skipSpace();
    }
    first = false;
    return true;
  }

  /// A string of 1 to 16 hexadecimal digits.
  long readHex() {
    int start = at;
    expect('"', "a string of hexadecimal digits is wanted");
    long value = 0;
    int digits = 0;
    while (at < end && text[at] != '"' && digits <= 16) {
      int digit = Character.digit(text[at++], 16);
      if (digit < 0) {
        throw wrong("a hexadecimal digit is wanted");
      }
      value = value << 4 | digit;
      digits++;
    }
    if (digits == 0 || digits > 16 || peek() != '"') {
      at = start;
      throw wrong("1 to 16 hexadecimal digits are wanted");
    }
    at++;
    return value;
  }

  /// A string; escapes stay as they are written, for no name that is looked for has any.
  String readText() {
    expect('"', "a string is wanted");
    int start = at;
    while (peek() != '"') {
      at += text[at] == '\\' ? 2 : 1;
    }
    String value = new String(text, start, at - start, StandardCharsets.UTF_8);
    at++;
    return value;
  }

  /// Goes past a value of any kind.
  void skip() {
    int depth = 0;
    do {
      skipSpace();
      byte c = peek();
      if (c == '"') {
        readText();
      } else if (c == '{' || c == '[') {
        if (++depth > MAX_DEPTH) {
          throw wrong("values are nested deeper than " + MAX_DEPTH);
        }
        at++;
      } else if (c == '}' || c == ']') {
        if (--depth < 0) {
          throw wrong("a value is wanted");
        }
        at++;
      } else if (c == ',' || c == ':') {
        if (depth == 0) {
          throw wrong("a value is wanted");
        }
        at++;
      } else {
        skipWord();
      }
    } while (depth > 0);
  }

  private void skipWord() {
    int start = at;
    while (at < end && (Character.isLetterOrDigit(text[at]) || isNumberPart(text[at]))) {
      at++;
    }
    if (at == start) {
      throw wrong("a value is wanted");
    }
  }

  private void expect(char wanted, String complaint) {
    skipSpace();
    if (peek() != wanted) {
      throw wrong(complaint);
    }
    at++;
  }

  private void skipSpace() {
    while (at < end && (text[at] == ' ' || text[at] == '\t')) {
      at++;
    }
  }

  private byte peek() {
    if (at >= end) {
      throw new TraceFormatException("the line ends inside the object");
    }
    return text[at];
  }

  private TraceFormatException wrong(String complaint) {
    String rest =
        new String(text, Math.min(at, end), Math.clamp(end - at, 0, 60), StandardCharsets.UTF_8);
    return new TraceFormatException(
        "%s at character %d, where '%s' stands".formatted(complaint, at + 1, clip(rest)));
  }

  /// At most 24 characters, those that could move a terminal's cursor replaced.
  static String clip(String value) {
    String shown = value.length() > 24 ? value.substring(0, 24) + "..." : value;
    return shown.replaceAll("\\p{Cntrl}", "?");
  }

  static String number(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
