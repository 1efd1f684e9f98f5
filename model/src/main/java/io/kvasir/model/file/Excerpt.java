package io.kvasir.model.file;

/// Text of a file as it may stand in an error message: short, on one line, without control
/// characters that a terminal would obey.
final class Excerpt {
  private static final int MAX_LENGTH = 200;

  private Excerpt() {}

  static String of(String text) {
    int length = Math.min(text.length(), MAX_LENGTH);
    StringBuilder out = new StringBuilder(length + 3);
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      out.append(Character.isISOControl(c) ? '?' : c);
    }
    return length < text.length() ? out.append("...").toString() : out.toString();
  }
}
