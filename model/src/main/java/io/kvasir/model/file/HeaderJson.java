package io.kvasir.model.file;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/// Reads a JSON header front to back where it lies, without building a tree: a header may have
/// megabytes, comes from strangers, and has a shape that is known beforehand.
final class HeaderJson {
  /// Values to be skipped may not nest deeper.
  private static final int MAX_DEPTH = 64;

  private final MemorySegment text;
  private final String file;
  private long at;

  /// @param text UTF-8
  /// @param file the name for error messages
  HeaderJson(MemorySegment text, String file) {
    this.text = text;
    this.file = file;
  }

  /// Steps into an object; answers whether it has a first key.
  boolean beginObject() {
    expect('{');
    return !accept('}');
  }

  /// Reads a key and its colon.
  String readKey() {
    String key = readString();
    expect(':');
    return key;
  }

  /// After a value of an object: answers whether another key follows.
  boolean nextInObject() {
    if (accept(',')) {
      return true;
    }
    expect('}');
    return false;
  }

  boolean beginArray() {
    expect('[');
    return !accept(']');
  }

  boolean nextInArray() {
    if (accept(',')) {
      return true;
    }
    expect(']');
    return false;
  }

  String readString() {
    int next = peek();
    if (next != '"') {
      throw damaged("a string is expected");
    }
    long start = at++;
    boolean escaped = false;
    while (true) {
      int c = byteAt(at++);
      if (c == '"') {
        break;
      }
      if (c == '\\') {
        escaped = true;
        at++;
      }
    }
    if (at - start > Integer.MAX_VALUE / 2) {
      throw damaged("a string is too long");
    }
    if (!escaped) {
      return utf8(start + 1, at - 1);
    }
    try {
      return Json.parse(utf8(start, at)).asString();
    } catch (JsonException e) {
      throw damaged("a string is " + e.getMessage());
    }
  }

  /// A whole number from 0 up.
  long readSize() {
    peek();
    long value = 0;
    long start = at;
    while (at < text.byteSize() && byteAt(at) >= '0' && byteAt(at) <= '9') {
      int digit = byteAt(at++) - '0';
      if (value > (Long.MAX_VALUE - digit) / 10) {
        throw damaged("a number is too large");
      }
      value = 10 * value + digit;
    }
    if (at == start) {
      throw damaged("a whole number is expected");
    }
    return value;
  }

  /// Steps over a value of any kind.
  void skipValue() {
    skipValue(0);
  }

  private void skipValue(int depth) {
    if (depth > MAX_DEPTH) {
      throw damaged("values nest deeper than " + MAX_DEPTH);
    }
    switch (peek()) {
      case '{' -> {
        for (boolean more = beginObject(); more; more = nextInObject()) {
          readKey();
          skipValue(depth + 1);
        }
      }
      case '[' -> {
        for (boolean more = beginArray(); more; more = nextInArray()) {
          skipValue(depth + 1);
        }
      }
      case '"' -> readString();
      default -> skipWord();
    }
  }

  /// A number, true, false or null; what exactly does not matter here.
  private void skipWord() {
    long start = at;
    while (at < text.byteSize() && isWordByte(byteAt(at))) {
      at++;
    }
    if (at == start) {
      throw damaged("a value is expected");
    }
  }

  private static boolean isWordByte(int c) {
    return c >= '0' && c <= '9'
        || c >= 'a' && c <= 'z'
        || c == 'E'
        || c == '+'
        || c == '-'
        || c == '.';
  }

  /// Nothing but spaces may follow the header's object.
  void expectEnd() {
    while (at < text.byteSize()) {
      if (!isSpace(byteAt(at))) {
        throw damaged("text follows the end");
      }
      at++;
    }
  }

  private void expect(char wanted) {
    if (peek() != wanted) {
      throw damaged("'" + wanted + "' is expected");
    }
    at++;
  }

  private boolean accept(char wanted) {
    if (peek() != wanted) {
      return false;
    }
    at++;
    return true;
  }

  /// The next byte that is no space.
  private int peek() {
    while (isSpace(byteAt(at))) {
      at++;
    }
    return byteAt(at);
  }

  private int byteAt(long index) {
    if (index >= text.byteSize()) {
      throw damaged("it ends too early");
    }
    return text.get(ValueLayout.JAVA_BYTE, index) & 0xFF;
  }

  private static boolean isSpace(int c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
  }

  private String utf8(long from, long to) {
    return new String(
        text.asSlice(from, to - from).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  ModelFormatException damaged(String what) {
    return new ModelFormatException(
        "%s is damaged: at byte %d of its JSON header, %s".formatted(file, at, what));
  }
}
