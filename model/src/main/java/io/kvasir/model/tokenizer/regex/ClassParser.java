package io.kvasir.model.tokenizer.regex;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// Parses character classes and character escapes at a position of a pattern.
final class ClassParser {
  private static final int MAX_DEPTH = 50;

  private final String pattern;
  private final IntConsumer moved;
  private int at;

  /// @param moved told the position behind what was read
  ClassParser(String pattern, int at, IntConsumer moved) {
    this.pattern = pattern;
    this.at = at;
    this.moved = moved;
  }

  /// Reads the class whose '[' stands here.
  CodePointSet parse() {
    CodePointSet set = bracket(0);
    moved.accept(at);
    return set;
  }

  private CodePointSet bracket(int depth) {
    if (depth > MAX_DEPTH) {
      throw error("classes nest deeper than " + MAX_DEPTH);
    }
    at++;
    boolean negated = peek() == '^';
    if (negated) {
      at++;
    }
    CodePointSet whole = null;
    List<CodePointSet> members = new ArrayList<>();
    Ranges ranges = new Ranges();
    boolean first = true;
    while (true) {
      char c = peek();
      if (c == ']' && !first) {
        at++;
        break;
      }
      if (pattern.startsWith("&&", at)) {
        at += 2;
        CodePointSet left = union(members, ranges);
        whole = whole == null ? left : whole.and(left);
        members = new ArrayList<>();
        ranges = new Ranges();
      } else if (pattern.startsWith("[:", at) && pattern.indexOf(":]", at) > 0) {
        members.add(posix());
      } else if (c == '[') {
        members.add(bracket(depth + 1));
      } else {
        member(members, ranges);
      }
      first = false;
    }
    CodePointSet last = union(members, ranges);
    CodePointSet set = whole == null ? last : whole.and(last);
    return negated ? set.negated() : set;
  }

  private void member(List<CodePointSet> members, Ranges ranges) {
    if (peek() == '\\') {
      CodePointSet set = escapedSet();
      if (set != null) {
        members.add(set);
        return;
      }
    }
    int low = codePoint();
    if (peek() != '-' || at + 1 >= pattern.length() || pattern.charAt(at + 1) == ']') {
      ranges.add(low, low);
      return;
    }
    at++;
    if (peek() == '[' || peek() == '\\' && isSetEscape()) {
      ranges.add(low, low);
      ranges.add('-', '-');
      return;
    }
    int high = codePoint();
    if (high < low) {
      throw error("a range runs backwards");
    }
    ranges.add(low, high);
  }

  private int codePoint() {
    if (peek() == '\\') {
      return escapedCodePoint();
    }
    int c = pattern.codePointAt(at);
    at += Character.charCount(c);
    return c;
  }

  private CodePointSet posix() {
    int end = pattern.indexOf(":]", at);
    CodePointSet set = UnicodeProperty.named(pattern.substring(at + 2, end));
    at = end + 2;
    return set;
  }

  private boolean isSetEscape() {
    char c = at + 1 < pattern.length() ? pattern.charAt(at + 1) : 0;
    return "sSdDwWhHpPN".indexOf(c) >= 0;
  }

  /// Reads an escape such as `\s` or `\p{L}` that stands for a set; null, and nothing read, where
  /// the escape stands for one character.
  @Nullable CodePointSet escapedSet() {
    if (!isSetEscape()) {
      return null;
    }
    char c = pattern.charAt(at + 1);
    at += 2;
    CodePointSet set =
        switch (c) {
          case 's' -> UnicodeProperty.SPACE;
          case 'S' -> UnicodeProperty.SPACE.negated();
          case 'd' -> UnicodeProperty.DIGIT;
          case 'D' -> UnicodeProperty.DIGIT.negated();
          case 'w' -> UnicodeProperty.WORD;
          case 'W' -> UnicodeProperty.WORD.negated();
          case 'h' -> UnicodeProperty.named("xdigit");
          case 'H' -> UnicodeProperty.named("xdigit").negated();
          case 'N' -> CodePointSet.NOT_NEWLINE;
          default -> property(c == 'P');
        };
    moved.accept(at);
    return set;
  }

  private CodePointSet property(boolean negated) {
    String name;
    if (peek() == '{') {
      int end = pattern.indexOf('}', at);
      if (end < 0) {
        throw error("a property does not end");
      }
      name = pattern.substring(at + 1, end);
      at = end + 1;
    } else {
      name = String.valueOf(peek());
      at++;
    }
    CodePointSet set = UnicodeProperty.named(name);
    return negated ? set.negated() : set;
  }

  /// Reads an escape that stands for one character.
  int escapedCodePoint() {
    if (at + 1 >= pattern.length()) {
      throw error("the pattern ends in a backslash");
    }
    int c = pattern.codePointAt(at + 1);
    at += 1 + Character.charCount(c);
    int value =
        switch (c) {
          case 'n' -> '\n';
          case 'r' -> '\r';
          case 't' -> '\t';
          case 'f' -> '\f';
          case 'v' -> 0x0B;
          case 'a' -> 0x07;
          case 'b' -> '\b';
          case 'e' -> 0x1B;
          case '0' -> 0;
          case 'x' -> peek() == '{' ? bracedHex() : hex(2);
          case 'u' -> peek() == '{' ? bracedHex() : hex(4);
          default -> c;
        };
    moved.accept(at);
    return value;
  }

  private int bracedHex() {
    int end = pattern.indexOf('}', at);
    if (end < 0 || end - at > 9) {
      throw error("a hexadecimal escape does not end");
    }
    int digits = end - at - 1;
    at++;
    int value = hex(digits);
    at++;
    return value;
  }

  private int hex(int digits) {
    int value = 0;
    for (int i = 0; i < digits; i++) {
      int digit = at < pattern.length() ? Character.digit(pattern.charAt(at), 16) : -1;
      if (digit < 0) {
        throw error("a hexadecimal digit is missing");
      }
      value = value << 4 | digit;
      at++;
    }
    if (value < 0 || value > Character.MAX_CODE_POINT) {
      throw error("a hexadecimal escape is no code point");
    }
    return value;
  }

  private static CodePointSet union(List<CodePointSet> members, Ranges ranges) {
    if (members.size() == 1 && ranges.isEmpty()) {
      return members.getFirst();
    }
    CodePointSet[] sets = members.toArray(CodePointSet[]::new);
    int[] bounds = ranges.sorted();
    return new CodePointSet(c -> {
      for (CodePointSet set : sets) {
        if (set.contains(c)) {
          return true;
        }
      }
      return Ranges.contains(bounds, c);
    });
  }

  private char peek() {
    if (at >= pattern.length()) {
      throw error("a class does not end");
    }
    return pattern.charAt(at);
  }

  private RegexSyntaxException error(String what) {
    return new RegexSyntaxException(what + " at character " + at + " of pattern " + pattern);
  }

  /// Ranges of code points in the order they were written.
  private static final class Ranges {
    private final List<int[]> items = new ArrayList<>();

    void add(int low, int high) {
      items.add(new int[] {low, high});
    }

    boolean isEmpty() {
      return items.isEmpty();
    }

    /// Disjoint ranges, ascending, as low, high, low, high ...
    int[] sorted() {
      items.sort((a, b) -> Integer.compare(a[0], b[0]));
      int[] out = new int[2 * items.size()];
      int n = 0;
      for (int[] item : items) {
        if (n > 0 && item[0] <= out[n - 1] + 1) {
          out[n - 1] = Math.max(out[n - 1], item[1]);
        } else {
          out[n++] = item[0];
          out[n++] = item[1];
        }
      }
      return java.util.Arrays.copyOf(out, n);
    }

    static boolean contains(int[] bounds, int c) {
      int low = 0;
      int high = bounds.length / 2 - 1;
      while (low <= high) {
        int middle = (low + high) >>> 1;
        if (c < bounds[2 * middle]) {
          high = middle - 1;
        } else if (c > bounds[2 * middle + 1]) {
          low = middle + 1;
        } else {
          return true;
        }
      }
      return false;
    }
  }
}
