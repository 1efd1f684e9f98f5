package io.kvasir.model.tokenizer.regex;

import java.util.function.IntPredicate;

/// A set of Unicode code points: a rule, with the answers for ASCII worked out in advance.
final class CodePointSet {
  static final CodePointSet ANY = new CodePointSet(c -> true);
  static final CodePointSet NOT_NEWLINE = new CodePointSet(c -> c != '\n');

  private final IntPredicate rule;
  private final long low;
  private final long high;

  CodePointSet(IntPredicate rule) {
    this.rule = rule;
    long bits0 = 0;
    long bits1 = 0;
    for (int c = 0; c < 64; c++) {
      if (rule.test(c)) {
        bits0 |= 1L << c;
      }
      if (rule.test(c + 64)) {
        bits1 |= 1L << c;
      }
    }
    this.low = bits0;
    this.high = bits1;
  }

  /// The code points that match `c` when case is ignored (simple folding, so `s` also takes
  /// U+017F).
  static CodePointSet ignoringCase(int c) {
    int folded = fold(c);
    return new CodePointSet(x -> fold(x) == folded);
  }

  static CodePointSet of(int c) {
    return new CodePointSet(x -> x == c);
  }

  boolean contains(int c) {
    if (c < 64) {
      return (low >>> c & 1) != 0;
    }
    if (c < 128) {
      return (high >>> c & 1) != 0;
    }
    return rule.test(c);
  }

  CodePointSet negated() {
    return new CodePointSet(c -> !contains(c));
  }

  CodePointSet and(CodePointSet other) {
    return new CodePointSet(c -> contains(c) && other.contains(c));
  }

  CodePointSet ignoringCase() {
    return new CodePointSet(c ->
        contains(c) || contains(Character.toLowerCase(c)) || contains(Character.toUpperCase(c)));
  }

  private static int fold(int c) {
    return Character.toLowerCase(Character.toUpperCase(c));
  }
}
