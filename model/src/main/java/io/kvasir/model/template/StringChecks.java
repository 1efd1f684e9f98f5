package io.kvasir.model.template;

/// The `is...` methods of strings that look at more than one character at a time.
final class StringChecks {
  private StringChecks() {}

  static boolean isLower(String text) {
    return hasCase(text, false);
  }

  static boolean isUpper(String text) {
    return hasCase(text, true);
  }

  /// At least one cased character, and all cased ones of the wanted case.
  private static boolean hasCase(String text, boolean upper) {
    boolean cased = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      boolean isUpper = Chars.isUpper(c);
      boolean isLower = Chars.isLower(c);
      if (Character.isTitleCase(c) || (upper ? isLower : isUpper)) {
        return false;
      }
      cased |= isUpper || isLower;
      i += Character.charCount(c);
    }
    return cased;
  }

  static boolean isTitle(String text) {
    boolean cased = false;
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      if (Chars.isUpper(c) || Character.isTitleCase(c)) {
        if (inWord) {
          return false;
        }
        inWord = true;
        cased = true;
      } else if (Chars.isLower(c)) {
        if (!inWord) {
          return false;
        }
      } else {
        inWord = false;
      }
      i += Character.charCount(c);
    }
    return cased;
  }

  static boolean isIdentifier(String text) {
    if (text.isEmpty()) {
      return false;
    }
    int first = text.codePointAt(0);
    if (first != '_' && !Character.isUnicodeIdentifierStart(first)) {
      return false;
    }
    return text.codePoints()
        .allMatch(c -> Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
  }
}
