package io.kvasir.model.json;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A strict recursive-descent JSON parser (RFC 8259): linear in the text, nesting bounded by
/// [#MAX_DEPTH].
final class JsonReader {
  static final int MAX_DEPTH = 256;

  /// Longer integer literals would cost quadratic time and mean nothing in a model file.
  private static final int MAX_NUMBER_LENGTH = 400;

  private final String text;
  private int at;

  JsonReader(String text) {
    this.text = text;
  }

  Json readDocument() {
    if (text.startsWith("\uFEFF")) {
      at = 1;
    }
    Json value = readValue(0);
    skipSpace();
    if (at < text.length()) {
      throw error("text after the end of the value");
    }
    return value;
  }

  private Json readValue(int depth) {
    if (depth > MAX_DEPTH) {
      throw error("nesting deeper than " + MAX_DEPTH);
    }
    skipSpace();
    if (at >= text.length()) {
      throw error("the text ends where a value should stand");
    }
    char c = text.charAt(at);
    return switch (c) {
      case '{' -> readObject(depth);
      case '[' -> readArray(depth);
      case '"' -> new Json.Str(readString());
      case 't' -> readWord("true", new Json.Bool(true));
      case 'f' -> readWord("false", new Json.Bool(false));
      case 'n' -> readWord("null", Json.Null.NULL);
      default -> readNumber();
    };
  }

  private Json readObject(int depth) {
    at++;
    Map<String, Json> fields = new LinkedHashMap<>();
    skipSpace();
    if (peek() == '}') {
      at++;
      return new Json.Obj(fields);
    }
    while (true) {
      skipSpace();
      if (peek() != '"') {
        throw error("a key must be a string");
      }
      String key = readString();
      skipSpace();
      if (peek() != ':') {
        throw error("':' is missing after key \"" + key + "\"");
      }
      at++;
      fields.put(key, readValue(depth + 1));
      skipSpace();
      char c = peek();
      at++;
      if (c == '}') {
        return new Json.Obj(Collections.unmodifiableMap(fields));
      }
      if (c != ',') {
        at--;
        throw error("',' or '}' is missing in an object");
      }
    }
  }

  private Json readArray(int depth) {
    at++;
    List<Json> items = new ArrayList<>();
    skipSpace();
    if (peek() == ']') {
      at++;
      return new Json.Arr(items);
    }
    while (true) {
      items.add(readValue(depth + 1));
      skipSpace();
      char c = peek();
      at++;
      if (c == ']') {
        return new Json.Arr(Collections.unmodifiableList(items));
      }
      if (c != ',') {
        at--;
        throw error("',' or ']' is missing in an array");
      }
    }
  }

  private String readString() {
    int start = ++at;
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '"') {
        return text.substring(start, at++);
      }
      if (c == '\\') {
        return readEscapedString(start);
      }
      if (c < 0x20) {
        throw error("a control character stands in a string");
      }
      at++;
    }
    throw error("a string does not end");
  }

  private String readEscapedString(int start) {
    StringBuilder out = new StringBuilder(text.length() - at < 64 ? 64 : 2 * (at - start) + 32);
    out.append(text, start, at);
    while (at < text.length()) {
      char c = text.charAt(at++);
      if (c == '"') {
        return out.toString();
      }
      if (c == '\\') {
        out.append(readEscape());
      } else if (c < 0x20) {
        throw error("a control character stands in a string");
      } else {
        out.append(c);
      }
    }
    throw error("a string does not end");
  }

  private char readEscape() {
    char c = peek();
    at++;
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> readUnicodeEscape();
      default -> throw error("'\\" + c + "' is no JSON escape");
    };
  }

  private char readUnicodeEscape() {
    if (at + 4 > text.length()) {
      throw error("a \\u escape needs four hexadecimal digits");
    }
    int value = 0;
    for (int i = 0; i < 4; i++) {
      int digit = Character.digit(text.charAt(at++), 16);
      if (digit < 0) {
        throw error("a \\u escape needs four hexadecimal digits");
      }
      value = value << 4 | digit;
    }
    return (char) value;
  }

  private Json readWord(String word, Json value) {
    if (!text.startsWith(word, at)) {
      throw error("unknown word");
    }
    at += word.length();
    return value;
  }

  private Json readNumber() {
    int start = at;
    boolean real = false;
    if (peek() == '-') {
      at++;
    }
    int digits = skipDigits();
    if (digits == 0 || digits > 1 && text.charAt(at - digits) == '0') {
      throw error("no JSON value starts here");
    }
    if (at < text.length() && text.charAt(at) == '.') {
      real = true;
      at++;
      if (skipDigits() == 0) {
        throw error("digits are missing after the decimal point");
      }
    }
    if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
      real = true;
      at++;
      if (at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-')) {
        at++;
      }
      if (skipDigits() == 0) {
        throw error("digits are missing in the exponent");
      }
    }
    if (at - start > MAX_NUMBER_LENGTH) {
      throw error("a number longer than " + MAX_NUMBER_LENGTH + " characters");
    }
    String literal = text.substring(start, at);
    if (real) {
      return new Json.Real(Double.parseDouble(literal));
    }
    return literal.length() < 19
        ? new Json.Int(Long.parseLong(literal))
        : new Json.Int(new BigInteger(literal));
  }

  private int skipDigits() {
    int start = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    return at - start;
  }

  private void skipSpace() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
        return;
      }
      at++;
    }
  }

  private char peek() {
    if (at >= text.length()) {
      throw error("the text ends too early");
    }
    return text.charAt(at);
  }

  private JsonException error(String what) {
    return new JsonException("not JSON at character " + at + ": " + what);
  }
}
