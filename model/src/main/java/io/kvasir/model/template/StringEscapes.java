package io.kvasir.model.template;

import java.util.Locale;

/// Backslash escapes inside the string literals of a template, as in Python: `\n`, `\t`, `\x41`,
/// `\u0105`, `\U0001F600`, `\N{BULLET}`, up to three octal digits, and a backslash before a
/// newline; an unknown escape keeps its backslash.
final class StringEscapes {
  private final String text;
  private final int line;
  private final StringBuilder out;
  private int at;

  private StringEscapes(String text, int line) {
    this.text = text;
    this.line = line;
    out = new StringBuilder(text.length());
  }

  static String unescape(String text, int line) {
    return text.indexOf('\\') < 0 ? text : new StringEscapes(text, line).read();
  }

  private String read() {
    while (at < text.length()) {
      char c = text.charAt(at++);
      if (c == '\\' && at < text.length()) {
        readEscape(text.charAt(at++));
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  private void readEscape(char c) {
    switch (c) {
      case '\n' -> {}
      case '\\', '\'', '"' -> out.append(c);
      case 'a' -> out.append('\u0007');
      case 'b' -> out.append('\b');
      case 'f' -> out.append('\f');
      case 'n' -> out.append('\n');
      case 'r' -> out.append('\r');
      case 't' -> out.append('\t');
      case 'v' -> out.append('\u000b');
      case '0', '1', '2', '3', '4', '5', '6', '7' -> readOctal(c);
      case 'x' -> readHex(2);
      case 'u' -> readHex(4);
      case 'U' -> readHex(8);
      case 'N' -> readName();
      default -> out.append('\\').append(c);
    }
  }

  private void readOctal(char first) {
    int value = first - '0';
    for (int i = 0; i < 2 && at < text.length(); i++) {
      char c = text.charAt(at);
      if (c < '0' || c > '7') {
        break;
      }
      value = value * 8 + c - '0';
      at++;
    }
    out.append((char) value);
  }

  private void readHex(int digits) {
    long value = 0;
    for (int i = 0; i < digits; i++) {
      int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
      if (digit < 0) {
        throw new TemplateException(
            "an escape in a string needs " + digits + " hexadecimal digits", line);
      }
      value = value * 16 + digit;
      at++;
    }
    if (value > Character.MAX_CODE_POINT) {
      throw new TemplateException("an escape in a string names no Unicode character", line);
    }
    out.appendCodePoint((int) value);
  }

  private void readName() {
    int end = text.indexOf('}', at);
    if (at >= text.length() || text.charAt(at) != '{' || end < 0) {
      throw new TemplateException("an escape '\\N' in a string needs a name in braces", line);
    }
    String name = text.substring(at + 1, end).toUpperCase(Locale.ROOT);
    try {
      out.appendCodePoint(Character.codePointOf(name));
    } catch (IllegalArgumentException unknown) {
      throw new TemplateException("unknown Unicode character name '" + name + "'", line);
    }
    at = end + 1;
  }
}
