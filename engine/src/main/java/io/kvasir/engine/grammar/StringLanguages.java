package io.kvasir.engine.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The automata of a schema's patterns, each made once.
final class StringLanguages {
  private final Budget budget;
  private final Map<String, CharDfa> anywhere = new HashMap<>();
  private final Map<String, CharDfa> whole = new HashMap<>();

  StringLanguages(Budget budget) {
    this.budget = budget;
  }

  /// The strings in which `pattern` matches somewhere.
  CharDfa anywhere(String pattern) {
    CharDfa known = anywhere.get(pattern);
    if (known == null) {
      known = RegexDfa.anywhere(RegexParser.parse(pattern), budget);
      anywhere.put(pattern, known);
    }
    return known;
  }

  /// The strings that `pattern` matches as a whole.
  CharDfa whole(String pattern) {
    CharDfa known = whole.get(pattern);
    if (known == null) {
      known = RegexDfa.whole(RegexParser.parse(pattern), budget);
      whole.put(pattern, known);
    }
    return known;
  }

  /// Whether nothing but its length limits a string.
  static boolean onlyLength(Constraints constraints) {
    return constraints.patterns().isEmpty() && constraints.formats().isEmpty();
  }

  /// The strings that satisfy all patterns and formats, and the lengths too.
  CharDfa strings(Constraints constraints) {
    List<CharDfa> parts = patterns(constraints);
    long min = constraints.minLength();
    long max = constraints.maxLength();
    if (min > 0 || max != Repetition.UNBOUNDED) {
      long states = max == Repetition.UNBOUNDED ? min : max;
      budget.states(Math.min(states, Budget.MAX_STATES));
      budget.states(0);
      parts.add(CharDfa.lengths((int) min, max == Repetition.UNBOUNDED ? -1 : (int) max, budget));
    }
    return CharDfa.intersection(parts, budget);
  }

  boolean matchesAll(Constraints constraints, String text) {
    for (CharDfa part : patterns(constraints)) {
      if (part.match(text) == CharDfa.NO_LABEL) {
        return false;
      }
    }
    return true;
  }

  private List<CharDfa> patterns(Constraints constraints) {
    List<CharDfa> parts = new ArrayList<>();
    constraints.patterns().forEach(p -> parts.add(anywhere(p)));
    constraints.formats().forEach(p -> parts.add(whole(p)));
    return parts;
  }
}
