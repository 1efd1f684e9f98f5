package io.kvasir.engine.grammar;

import java.util.ArrayList;
import java.util.List;

/// A regular expression as a tree. The begin and the end of the text are characters of their own,
/// [CharSet#BEGIN] and [CharSet#END], which is how anchors work within alternatives.
sealed interface Regex {

  /// One character of a set; none where the set is empty.
  record Chars(CharSet set) implements Regex {}

  /// One after the other; the empty text where there are none.
  record Seq(List<Regex> parts) implements Regex {}

  /// One of several; nothing at all where there are none.
  record Alt(List<Regex> branches) implements Regex {}

  /// `min` to `max` times; a `max` of -1 means without end.
  record Repeat(Regex part, int min, int max) implements Regex {}

  Regex EMPTY = new Seq(List.of());

  static Regex seq(Regex... parts) {
    return new Seq(List.of(parts));
  }

  static Regex alt(Regex... branches) {
    return new Alt(List.of(branches));
  }

  static Regex chars(int low, int high) {
    return new Chars(CharSet.range(low, high));
  }

  static Regex times(Regex part, int min, int max) {
    return new Repeat(part, min, max);
  }

  static Regex optional(Regex part) {
    return new Repeat(part, 0, 1);
  }

  /// The text itself.
  ///
  /// @throws GrammarException where it holds half of a surrogate pair
  static Regex literal(String text) {
    List<Regex> parts = new ArrayList<>();
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      if (c >= 0xD800 && c <= 0xDFFF) {
        throw new GrammarException("the text \"" + text + "\" holds half of a surrogate pair");
      }
      parts.add(new Chars(CharSet.of(c)));
      i += Character.charCount(c);
    }
    return new Seq(parts);
  }
}
