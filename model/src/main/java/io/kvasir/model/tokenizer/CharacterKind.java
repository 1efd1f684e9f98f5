package io.kvasir.model.tokenizer;

import java.util.function.IntPredicate;

/// Questions about characters that the JDK answers differently from Unicode or not at all.
final class CharacterKind {
  private CharacterKind() {}

  /// The property White_Space; none of its characters lies beyond U+FFFF.
  static boolean isSpace(int c) {
    return c == ' ' || c >= '\t' && c <= '\r' || c == 0x85 || c > 0x7F && Character.isSpaceChar(c);
  }

  static boolean isMark(int c) {
    int type = Character.getType(c);
    return type == Character.NON_SPACING_MARK
        || type == Character.COMBINING_SPACING_MARK
        || type == Character.ENCLOSING_MARK;
  }

  /// Control, format and private characters other than tab and line ends.
  static boolean isControl(int c) {
    if (c == '\t' || c == '\n' || c == '\r') {
      return false;
    }
    int type = Character.getType(c);
    return type == Character.CONTROL
        || type == Character.FORMAT
        || type == Character.PRIVATE_USE
        || type == Character.SURROGATE;
  }

  /// The blocks that BERT takes for Chinese.
  static boolean isChinese(int c) {
    return c >= 0x4E00 && c <= 0x9FFF
        || c >= 0x3400 && c <= 0x4DBF
        || c >= 0x20000 && c <= 0x2A6DF
        || c >= 0x2A700 && c <= 0x2B73F
        || c >= 0x2B740 && c <= 0x2B81F
        || c >= 0x2B920 && c <= 0x2CEAF
        || c >= 0xF900 && c <= 0xFAFF
        || c >= 0x2F800 && c <= 0x2FA1F;
  }

  static boolean isWord(int c) {
    return Character.isAlphabetic(c)
        || isMark(c)
        || Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER
        || Character.getType(c) == Character.CONNECTOR_PUNCTUATION
        || c == 0x200C
        || c == 0x200D;
  }

  /// The characters of `text` that `kept` holds for.
  static String keep(String text, IntPredicate kept) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      if (kept.test(c)) {
        out.appendCodePoint(c);
      }
    }
    return out.toString();
  }
}
