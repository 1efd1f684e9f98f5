package io.kvasir.server.reply;

/// Text that waits until it is clear what it is.
final class Held {
  private final StringBuilder text = new StringBuilder();

  void add(String more) {
    text.append(more);
  }

  boolean isEmpty() {
    return text.isEmpty();
  }

  char first() {
    return text.charAt(0);
  }

  Held copy() {
    Held copy = new Held();
    copy.text.append(text);
    return copy;
  }

  /// Adds text at the front.
  void putBack(String before) {
    text.insert(0, before);
  }

  /// Drops white space at the front. @return whether anything is left
  boolean skipSpace() {
    int n = 0;
    while (n < text.length() && Character.isWhitespace(text.charAt(n))) {
      n++;
    }
    text.delete(0, n);
    return !text.isEmpty();
  }

  boolean startsWith(String marker) {
    return text.length() >= marker.length() && text.substring(0, marker.length()).equals(marker);
  }

  /// Whether more text could still make this begin with `marker`.
  boolean mayStartWith(String marker) {
    return text.length() < marker.length() && marker.startsWith(text.toString());
  }

  /// Drops `marker` from the front. @return whether it was there
  boolean take(String marker) {
    boolean there = startsWith(marker);
    if (there) {
      text.delete(0, marker.length());
    }
    return there;
  }

  int indexOf(String marker) {
    return text.indexOf(marker);
  }

  /// Takes the first `length` characters.
  String take(int length) {
    String result = text.substring(0, length);
    text.delete(0, length);
    return result;
  }

  String takeAll() {
    return take(text.length());
  }

  /// Takes what can be no part of `marker`, nor white space before it.
  String takeBefore(String marker) {
    int keep = 0;
    for (int n = Math.min(marker.length() - 1, text.length()); n > 0 && keep == 0; n--) {
      if (marker.startsWith(text.substring(text.length() - n))) {
        keep = n;
      }
    }
    int end = text.length() - keep;
    while (end > 0 && Character.isWhitespace(text.charAt(end - 1))) {
      end--;
    }
    return take(end);
  }
}
