package io.kvasir.model.template;

/// What one rendering may use before it is refused.
///
/// @param steps statements, expressions and items handled; each 64 characters copied count as one
/// @param characters characters (and some for each list item) produced in all values together
/// @param outputCharacters length of the rendered text
/// @param depth nesting of expressions, statements and calls in each other
record Limits(long steps, long characters, long outputCharacters, int depth) {
  /// Python's sandboxed `range` allows as many.
  static final int MAX_RANGE = 100_000;

  /// Lists and dictionaries inside each other, where a value is printed or compared.
  static final int MAX_VALUE_DEPTH = 300;

  /// Nesting of a template's syntax; Python's compiler stops at 200 parentheses as well.
  static final int MAX_SYNTAX_DEPTH = 200;

  /// What an item of a list counts as: about the memory of a small string in it.
  static final long CHARACTERS_PER_ITEM = 32;

  /// The parts of a tuple that is a key of a dictionary.
  static final int MAX_KEY_PARTS = 100;

  /// Generators that read from each other, such as `x | map(...) | select(...)`.
  static final int MAX_GENERATORS = 100;

  /// A template of more characters is refused before it is read.
  static final int MAX_SOURCE = 4 << 20;

  /// The bits of the largest whole number; Python prints numbers of up to 4300 digits.
  static final int MAX_INTEGER_BITS = 1 << 16;

  Limits {
    if (steps < 1 || characters < 1 || outputCharacters < 1 || depth < 1) {
      throw new IllegalArgumentException(
          "limits must be positive but are "
              + steps
              + ", "
              + characters
              + ", "
              + outputCharacters
              + ", "
              + depth);
    }
  }

  /// The limits for an input of `inputCharacters`: templates that build the text of a long
  /// conversation piece by piece copy it often, so the budget grows with it.
  static Limits forInput(long inputCharacters) {
    return new Limits(
        20_000_000L + 100 * inputCharacters,
        (128L << 20) + 512 * inputCharacters,
        (16L << 20) + 16 * inputCharacters,
        800);
  }
}
