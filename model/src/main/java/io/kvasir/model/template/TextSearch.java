package io.kvasir.model.template;

/// Substring search that stays linear on hostile text: `String.indexOf` for short parts, the
/// algorithm of Knuth, Morris and Pratt (1977) for long ones, where the plain search is quadratic.
final class TextSearch {
  private static final int LONG_PART = 32;

  private TextSearch() {}

  /// The first place of `part` at or after `from`, or -1.
  static int indexOf(String text, String part, int from) {
    if (part.length() < LONG_PART) {
      return text.indexOf(part, from);
    }
    int found = search(text, part, from, text.length(), false);
    return found < 0 ? -1 : from + found;
  }

  /// The last place where `part` ends at or before `end`, or -1.
  static int lastIndexOf(String text, String part, int end) {
    if (part.length() > end) {
      return -1;
    }
    if (part.length() < LONG_PART) {
      return text.lastIndexOf(part, end - part.length());
    }
    int found = search(text, part, 0, end, true);
    return found < 0 ? -1 : end - found - part.length();
  }

  /// The offset of the first match, counted from the side where the search starts.
  private static int search(String text, String part, int from, int to, boolean backwards) {
    int length = part.length();
    int[] border = new int[length];
    for (int i = 1, k = 0; i < length; i++) {
      while (k > 0 && at(part, i, 0, length, backwards) != at(part, k, 0, length, backwards)) {
        k = border[k - 1];
      }
      if (at(part, i, 0, length, backwards) == at(part, k, 0, length, backwards)) {
        k++;
      }
      border[i] = k;
    }
    for (int i = 0, k = 0; i < to - from; i++) {
      char c = at(text, i, from, to, backwards);
      while (k > 0 && c != at(part, k, 0, length, backwards)) {
        k = border[k - 1];
      }
      if (c == at(part, k, 0, length, backwards)) {
        k++;
      }
      if (k == length) {
        return i - length + 1;
      }
    }
    return -1;
  }

  private static char at(String text, int index, int from, int to, boolean backwards) {
    return text.charAt(backwards ? to - 1 - index : from + index);
  }
}
