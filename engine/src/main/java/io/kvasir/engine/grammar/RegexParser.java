package io.kvasir.engine.grammar;

import java.util.ArrayList;
import java.util.List;

/// Reads the regular part of ECMA-262 patterns: literals, classes, `\d \w \s` and their opposites,
/// groups, alternation, quantifiers, `.`, and anchors at the ends. What is not regular (back
/// references, looking around) and what depends on Unicode's version (`\p`) is refused.
///
/// `\s` means the white space of ASCII, `\S` and `.` leave out all white space and line ends that
/// any common dialect leaves out: what is generated matches in each of them.
final class RegexParser {
  static final int MAX_LENGTH = 20_000;
  static final int MAX_NESTING = 200;
  static final int MAX_REPEAT = 20_000;

  private static final CharSet DIGIT = CharSet.range('0', '9');
  private static final CharSet WORD = CharSet.ofRanges('0', '9', 'A', 'Z', '_', '_', 'a', 'z');
  private static final CharSet SPACE = CharSet.ofRanges(9, 13, ' ', ' ');
  private static final CharSet ANY_SPACE =
      SPACE.union(
          CharSet.ofRanges(
              0x1C, 0x1F, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x180E, 0x180E, 0x2000, 0x200B,
              0x2028, 0x2029, 0x202F, 0x202F, 0x205F, 0x2060, 0x3000, 0x3000, 0xFEFF, 0xFEFF));
  private static final CharSet LINE_ENDS =
      CharSet.ofRanges('\n', '\n', '\r', '\r', 0x85, 0x85, 0x2028, 0x2029);

  private final String text;
  private int at;

  private RegexParser(String text) {
    this.text = text;
  }

  /// The tree of `pattern`.
  ///
  /// @throws GrammarException where it is malformed, not regular or too large
  static Regex parse(String pattern) {
    if (pattern.length() > MAX_LENGTH) {
      throw new GrammarException(
          "the pattern has " + pattern.length() + " characters, more than " + MAX_LENGTH);
    }
    RegexParser parser = new RegexParser(pattern);
    Regex result = parser.alternatives(0);
    if (parser.at < pattern.length()) {
      throw parser.error("an unmatched ')'");
    }
    return result;
  }

  private Regex alternatives(int depth) {
    if (depth > MAX_NESTING) {
      throw error("groups nested deeper than " + MAX_NESTING);
    }
    List<Regex> branches = new ArrayList<>();
    branches.add(sequence(depth));
    while (at < text.length() && text.charAt(at) == '|') {
      at++;
      branches.add(sequence(depth));
    }
    return branches.size() == 1 ? branches.getFirst() : new Regex.Alt(branches);
  }

  private Regex sequence(int depth) {
    List<Regex> parts = new ArrayList<>();
    while (at < text.length() && text.charAt(at) != '|' && text.charAt(at) != ')') {
      char c = text.charAt(at);
      if (c == '^' || c == '$') {
        at++;
        if (at < text.length() && "*+?{".indexOf(text.charAt(at)) >= 0) {
          throw error("a quantifier behind an anchor");
        }
        parts.add(new Regex.Chars(CharSet.of(c == '^' ? CharSet.BEGIN : CharSet.END)));
      } else {
        parts.add(quantified(atom(depth)));
      }
    }
    return parts.size() == 1 ? parts.getFirst() : new Regex.Seq(parts);
  }

  private Regex atom(int depth) {
    char c = text.charAt(at);
    return switch (c) {
      case '(' -> group(depth);
      case '[' -> {
        at++;
        yield new Regex.Chars(charClass());
      }
      case '.' -> {
        at++;
        yield new Regex.Chars(LINE_ENDS.negate());
      }
      case '\\' -> {
        at++;
        yield new Regex.Chars(escape(false));
      }
      case '*', '+', '?' -> throw error("a quantifier with nothing before it");
      default -> new Regex.Chars(CharSet.of(codePoint()));
    };
  }

  private Regex group(int depth) {
    at++;
    groupStart();
    Regex inner = alternatives(depth + 1);
    if (at >= text.length()) {
      throw error("a missing ')'");
    }
    at++;
    return inner;
  }

  private void groupStart() {
    if (!text.startsWith("?", at)) {
      return;
    }
    if (text.startsWith("?:", at)) {
      at += 2;
    } else if (text.startsWith("?<", at)
        && !text.startsWith("?<=", at)
        && !text.startsWith("?<!", at)
        && text.indexOf('>', at) > 0) {
      at = text.indexOf('>', at) + 1;
    } else if (text.startsWith("?P<", at) && text.indexOf('>', at) > 0) {
      at = text.indexOf('>', at) + 1;
    } else {
      throw error("a group that is not regular, such as looking ahead or behind");
    }
  }

  private Regex quantified(Regex part) {
    if (at >= text.length()) {
      return part;
    }
    int min;
    int max;
    switch (text.charAt(at)) {
      case '*' -> {
        min = 0;
        max = -1;
        at++;
      }
      case '+' -> {
        min = 1;
        max = -1;
        at++;
      }
      case '?' -> {
        min = 0;
        max = 1;
        at++;
      }
      case '{' -> {
        at++;
        min = number();
        max = min;
        if (at < text.length() && text.charAt(at) == ',') {
          at++;
          max = at < text.length() && text.charAt(at) == '}' ? -1 : number();
        }
        if (at >= text.length() || text.charAt(at) != '}') {
          throw error("a count that does not end in '}'");
        }
        at++;
        if (max >= 0 && max < min) {
          throw error("a count from " + min + " down to " + max);
        }
      }
      default -> {
        return part;
      }
    }
    if (at < text.length() && text.charAt(at) == '?') {
      at++; // lazy: the same texts match
    } else if (at < text.length() && "*+{".indexOf(text.charAt(at)) >= 0) {
      throw error("a quantifier behind a quantifier");
    }
    return new Regex.Repeat(part, min, max);
  }

  private int number() {
    int start = at;
    int value = 0;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      value = value * 10 + text.charAt(at) - '0';
      if (value > MAX_REPEAT) {
        throw error("a count above " + MAX_REPEAT);
      }
      at++;
    }
    if (at == start) {
      throw error("a '{' without a number; write \\{ for the character");
    }
    return value;
  }

  private CharSet charClass() {
    boolean negated = at < text.length() && text.charAt(at) == '^';
    if (negated) {
      at++;
    }
    CharSet set = CharSet.EMPTY;
    // In a negated class each member counts in its widest meaning.
    while (at < text.length() && text.charAt(at) != ']') {
      if (text.charAt(at) == '[' && text.startsWith("[:", at)) {
        throw error("a POSIX class");
      }
      CharSet low = member(negated);
      if (text.startsWith("-", at) && at + 1 < text.length() && text.charAt(at + 1) != ']') {
        at++;
        CharSet high = member(negated);
        if (!single(low) || !single(high) || low.low(0) > high.low(0)) {
          throw error("a range whose ends are no ascending characters");
        }
        low = CharSet.range(low.low(0), high.low(0)).minus(CharSet.range(0xD800, 0xDFFF));
      }
      set = set.union(low);
    }
    if (at >= text.length()) {
      throw error("a missing ']'");
    }
    at++;
    return negated ? set.negate() : set;
  }

  private static boolean single(CharSet set) {
    return set.size() == 1 && set.low(0) == set.high(0);
  }

  private CharSet member(boolean widest) {
    if (text.charAt(at) == '\\') {
      at++;
      return escape(widest);
    }
    return CharSet.of(codePoint());
  }

  private CharSet escape(boolean widest) {
    if (at >= text.length()) {
      throw error("a '\\' at the end");
    }
    char c = text.charAt(at++);
    return switch (c) {
      case 'd' -> DIGIT;
      case 'D' -> DIGIT.negate();
      case 'w' -> WORD;
      case 'W' -> WORD.negate();
      case 's' -> widest ? ANY_SPACE : SPACE;
      case 'S' -> widest ? SPACE.negate() : ANY_SPACE.negate();
      case 'n' -> CharSet.of('\n');
      case 'r' -> CharSet.of('\r');
      case 't' -> CharSet.of('\t');
      case 'f' -> CharSet.of('\f');
      case 'v' -> CharSet.of(0x0B);
      case 'x' -> CharSet.of(hex(2));
      case 'u' -> CharSet.of(unicode());
      default -> {
        if (c == '0' && (at >= text.length() || !Character.isDigit(text.charAt(at)))) {
          yield CharSet.of(0);
        }
        if (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
          throw error("the escape \\" + c + ", which is not supported");
        }
        at--;
        yield CharSet.of(codePoint());
      }
    };
  }

  private int unicode() {
    if (text.startsWith("{", at)) {
      int end = text.indexOf('}', at);
      int digits = end - at - 1;
      if (digits < 1 || digits > 6) {
        throw error("a \\u{...} without one to six digits");
      }
      at++;
      int value = hex(digits);
      at++;
      return scalar(value);
    }
    int high = hex(4);
    if (Character.isHighSurrogate((char) high) && text.startsWith("\\u", at)) {
      at += 2;
      int low = hex(4);
      if (Character.isLowSurrogate((char) low)) {
        return Character.toCodePoint((char) high, (char) low);
      }
    }
    return scalar(high);
  }

  private int hex(int digits) {
    if (at + digits > text.length()) {
      throw error("an escape without its " + digits + " hexadecimal digits");
    }
    int value = 0;
    for (int i = 0; i < digits; i++) {
      char c = text.charAt(at++);
      int digit = c < 128 ? Character.digit(c, 16) : -1;
      if (digit < 0) {
        throw error("an escape without its " + digits + " hexadecimal digits");
      }
      value = value << 4 | digit;
    }
    return value;
  }

  private int codePoint() {
    int c = text.codePointAt(at);
    at += Character.charCount(c);
    return scalar(c);
  }

  private int scalar(int c) {
    if (c >= 0xD800 && c <= 0xDFFF || c > CharSet.MAX) {
      throw error("the code " + Integer.toHexString(c) + ", which is no character");
    }
    return c;
  }

  private GrammarException error(String what) {
    String shown = text.length() > 60 ? text.substring(0, 60) + "..." : text;
    return new GrammarException(
        "the pattern \"" + shown + "\" has " + what + " before character " + at);
  }
}
