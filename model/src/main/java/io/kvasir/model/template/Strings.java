package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// What Python's string methods do, on Java strings. Linear in the text, and in a separator, a
/// prefix or a set of characters.
final class Strings {
  private static final int CAPITAL_SIGMA = 0x3a3;
  private static final int N_AFTER_APOSTROPHE = 0x149;

  private Strings() {}

  static String strip(String text) {
    return stripRight(stripLeft(text));
  }

  static String stripLeft(String text) {
    int from = 0;
    while (from < text.length() && Chars.isSpace(text.charAt(from))) {
      from++;
    }
    return text.substring(from);
  }

  static String stripRight(String text) {
    int to = text.length();
    while (to > 0 && Chars.isSpace(text.charAt(to - 1))) {
      to--;
    }
    return text.substring(0, to);
  }

  /// `text` without the code points in `chars` at its left end.
  static String stripLeft(String text, String chars) {
    int from = 0;
    while (from < text.length()) {
      int c = text.codePointAt(from);
      if (chars.indexOf(c) < 0) {
        break;
      }
      from += Character.charCount(c);
    }
    return text.substring(from);
  }

  /// `text` without the code points in `chars` at its right end.
  static String stripRight(String text, String chars) {
    int to = text.length();
    while (to > 0) {
      int c = text.codePointBefore(to);
      if (chars.indexOf(c) < 0) {
        break;
      }
      to -= Character.charCount(c);
    }
    return text.substring(0, to);
  }

  /// `split()` at white space; at most `limit` cuts from the left when `limit` is not negative.
  static List<String> splitSpace(String text, int limit) {
    List<String> parts = new ArrayList<>();
    int at = 0;
    while (true) {
      while (at < text.length() && Chars.isSpace(text.charAt(at))) {
        at++;
      }
      if (at >= text.length()) {
        return parts;
      }
      if (limit >= 0 && parts.size() == limit) {
        parts.add(text.substring(at));
        return parts;
      }
      int start = at;
      while (at < text.length() && !Chars.isSpace(text.charAt(at))) {
        at++;
      }
      parts.add(text.substring(start, at));
    }
  }

  /// `rsplit()` at white space.
  static List<String> splitSpaceFromRight(String text, int limit) {
    List<String> parts = new ArrayList<>();
    int at = text.length();
    while (true) {
      while (at > 0 && Chars.isSpace(text.charAt(at - 1))) {
        at--;
      }
      if (at == 0) {
        return parts.reversed();
      }
      if (limit >= 0 && parts.size() == limit) {
        parts.add(text.substring(0, at));
        return parts.reversed();
      }
      int end = at;
      while (at > 0 && !Chars.isSpace(text.charAt(at - 1))) {
        at--;
      }
      parts.add(text.substring(at, end));
    }
  }

  static List<String> split(String text, String separator, int limit) {
    requireSeparator(separator);
    List<String> parts = new ArrayList<>();
    int at = 0;
    while (limit < 0 || parts.size() < limit) {
      int next = TextSearch.indexOf(text, separator, at);
      if (next < 0) {
        break;
      }
      parts.add(text.substring(at, next));
      at = next + separator.length();
    }
    parts.add(text.substring(at));
    return parts;
  }

  static List<String> splitFromRight(String text, String separator, int limit) {
    requireSeparator(separator);
    List<String> parts = new ArrayList<>();
    int end = text.length();
    while (limit < 0 || parts.size() < limit) {
      int next = TextSearch.lastIndexOf(text, separator, end);
      if (next < 0) {
        break;
      }
      parts.add(text.substring(next + separator.length(), end));
      end = next;
    }
    parts.add(text.substring(0, end));
    return parts.reversed();
  }

  private static void requireSeparator(String separator) {
    if (separator.isEmpty()) {
      throw new TemplateException("the separator of a split is empty");
    }
  }

  /// `splitlines(keepends)`.
  static List<String> lines(String text, boolean keepEnds) {
    List<String> lines = new ArrayList<>();
    int start = 0;
    int at = 0;
    while (at < text.length()) {
      char c = text.charAt(at++);
      if (Chars.isLineBreak(c)) {
        int end = at - 1;
        if (c == '\r' && at < text.length() && text.charAt(at) == '\n') {
          at++;
        }
        lines.add(text.substring(start, keepEnds ? at : end));
        start = at;
      }
    }
    if (start < text.length()) {
      lines.add(text.substring(start));
    }
    return lines;
  }

  /// `replace(old, replacement, count)`; a negative count replaces all.
  static String replace(String text, String old, String replacement, int count, Budget budget) {
    if (count == 0) {
      return text;
    }
    long found = occurrences(text, old);
    long times = count < 0 ? found : Math.min(found, count);
    budget.characters(
        text.length() + times * Math.max(0, (long) replacement.length() - old.length()));
    if (old.isEmpty()) {
      return interleave(text, replacement, times);
    }
    StringBuilder out = new StringBuilder();
    int at = 0;
    for (long i = 0; i < times; i++) {
      int next = TextSearch.indexOf(text, old, at);
      out.append(text, at, next).append(replacement);
      at = next + old.length();
    }
    return out.append(text, at, text.length()).toString();
  }

  private static String interleave(String text, String replacement, long times) {
    StringBuilder out = new StringBuilder();
    int at = 0;
    for (long i = 0; i < times; i++) {
      out.append(replacement);
      if (at < text.length()) {
        int c = text.codePointAt(at);
        out.appendCodePoint(c);
        at += Character.charCount(c);
      }
    }
    return out.append(text, at, text.length()).toString();
  }

  /// How often `part` stands in `text` without overlaps; an empty part stands around each
  /// character.
  static int occurrences(String text, String part) {
    if (part.isEmpty()) {
      return text.codePointCount(0, text.length()) + 1;
    }
    int count = 0;
    int at = TextSearch.indexOf(text, part, 0);
    while (at >= 0) {
      count++;
      at = TextSearch.indexOf(text, part, at + part.length());
    }
    return count;
  }

  /// `capitalize()`.
  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.codePointAt(0);
    int lowered = Character.toString(first).toLowerCase(Locale.ROOT).length();
    return titled(first) + text.toLowerCase(Locale.ROOT).substring(lowered);
  }

  /// `title()`: the first letter of each run of letters in title case, the others in lower case.
  static String title(String text) {
    StringBuilder out = new StringBuilder(text.length());
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      boolean cased =
          Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
      if (inWord) {
        out.append(lowered(text, i, c));
      } else {
        out.append(titled(c));
      }
      inWord = cased;
      i += Character.charCount(c);
    }
    return out.toString();
  }

  private static String titled(int c) {
    int title = Character.toTitleCase(c);
    if (title != c || Character.isTitleCase(c)) {
      return Character.toString(title);
    }
    // Letters such as U+00DF have no title case of their own but an upper case of two letters.
    String upper = Character.toString(c).toUpperCase(Locale.ROOT);
    boolean wholeUpper = upper.length() <= Character.charCount(c) || c == N_AFTER_APOSTROPHE;
    return wholeUpper ? upper : upper.charAt(0) + upper.substring(1).toLowerCase(Locale.ROOT);
  }

  /// The lower case of the code point at `i`; a capital sigma that ends a word has its own.
  private static String lowered(String text, int i, int c) {
    if (c != CAPITAL_SIGMA) {
      return Character.toString(c).toLowerCase(Locale.ROOT);
    }
    boolean after = i > 0 && Character.isLetter(text.codePointBefore(i));
    boolean before = i + 1 < text.length() && Character.isLetter(text.codePointAt(i + 1));
    return after && !before ? "\u03c2" : "\u03c3";
  }

  static String swapCase(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      if (Character.isUpperCase(c)) {
        out.append(lowered(text, i, c));
      } else {
        String s = Character.toString(c);
        out.append(Character.isLowerCase(c) ? s.toUpperCase(Locale.ROOT) : s);
      }
      i += Character.charCount(c);
    }
    return out.toString();
  }

  /// `casefold()`: lower case for comparing, with letters such as U+00DF written out.
  static String foldCase(String text) {
    return text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT).replace('\u03c2', '\u03c3');
  }

  /// `expandtabs(size)`.
  static String expandTabs(String text, int size, Budget budget) {
    StringBuilder out = new StringBuilder();
    int column = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\t') {
        int fill = size <= 0 ? 0 : size - column % size;
        budget.characters(fill);
        out.repeat(' ', fill);
        column += fill;
      } else {
        out.append(c);
        column = c == '\n' || c == '\r' ? 0 : Character.isLowSurrogate(c) ? column : column + 1;
      }
    }
    return out.toString();
  }
}
