package io.kvasir.server.reply;

/// Finds where a JSON value ends, without checking that it is one. A number or a word has no end of
/// its own: what follows ends it.
final class JsonSpan {
  private int depth;
  private boolean begun;
  private boolean quoted;
  private boolean escaped;
  private boolean scalar;

  /// Takes one character. @return whether the value ends with it
  boolean accept(char c) {
    if (quoted) {
      return inString(c);
    }
    switch (c) {
      case '"' -> quoted = true;
      case '{', '[' -> depth++;
      case '}', ']' -> depth--;
      default -> scalar |= !begun;
    }
    begun = true;
    return depth <= 0 && !quoted && !scalar;
  }

  private boolean inString(char c) {
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      quoted = false;
    }
    return depth == 0 && !quoted;
  }

  boolean isScalar() {
    return scalar;
  }
}
