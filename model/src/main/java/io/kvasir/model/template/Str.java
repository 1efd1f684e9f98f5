package io.kvasir.model.template;

import java.util.PrimitiveIterator;
import org.jspecify.annotations.Nullable;

/// A string value. The text is UTF-16; lengths and positions count code points, as in Python.
/// `markup` marks text that is already escaped for HTML (the result of the `escape` filter).
final class Str implements Value {
  static final Str EMPTY = new Str("");

  private static final int UNKNOWN = -1;
  private static final int MARK_SHIFT = 6;

  private final String text;
  private final boolean markup;

  /// Code points; a benign race, every thread computes the same.
  private int length = UNKNOWN;

  /// The UTF-16 offset of every 64th code point of a text with surrogates, once it is asked for.
  private int @Nullable [] marks;

  Str(String text) {
    this(text, false);
  }

  Str(String text, boolean markup) {
    this.text = text;
    this.markup = markup;
  }

  String text() {
    return text;
  }

  boolean markup() {
    return markup;
  }

  boolean isEmpty() {
    return text.isEmpty();
  }

  /// The same kind of string, escaped or not, with another text.
  Str with(String other) {
    return new Str(other, markup);
  }

  int length() {
    if (length == UNKNOWN) {
      length = text.codePointCount(0, text.length());
    }
    return length;
  }

  /// The UTF-16 offset of code point `index`, which lies in 0 ..= length.
  int offset(int index) {
    if (length() == text.length()) {
      return index;
    }
    int[] known = marks;
    if (known == null) {
      known = findMarks();
      marks = known;
    }
    return text.offsetByCodePoints(known[index >> MARK_SHIFT], index & (1 << MARK_SHIFT) - 1);
  }

  private int[] findMarks() {
    int[] found = new int[(length() >> MARK_SHIFT) + 1];
    for (int i = 1; i < found.length; i++) {
      found[i] = text.offsetByCodePoints(found[i - 1], 1 << MARK_SHIFT);
    }
    return found;
  }

  /// The code points `from` ..< `to`.
  String slice(int from, int to) {
    int start = offset(from);
    return text.substring(start, offset(to));
  }

  PrimitiveIterator.OfInt codePoints() {
    return text.codePoints().iterator();
  }

  static Str of(int codePoint) {
    return new Str(Character.toString(codePoint));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Str str && str.text.equals(text);
  }

  @Override
  public int hashCode() {
    return text.hashCode();
  }

  @Override
  public String toString() {
    return text;
  }
}
