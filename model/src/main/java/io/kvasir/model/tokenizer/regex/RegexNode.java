package io.kvasir.model.tokenizer.regex;

import java.util.List;

/// A parsed pattern.
sealed interface RegexNode {

  /// Whether the node can match without taking a character.
  boolean nullable();

  /// One code point out of a set.
  record One(CodePointSet set) implements RegexNode {
    @Override
    public boolean nullable() {
      return false;
    }
  }

  /// One after the other.
  record Sequence(List<RegexNode> items) implements RegexNode {
    @Override
    public boolean nullable() {
      for (RegexNode item : items) {
        if (!item.nullable()) {
          return false;
        }
      }
      return true;
    }
  }

  /// The first that leads to a match.
  record Choice(List<RegexNode> items) implements RegexNode {
    @Override
    public boolean nullable() {
      for (RegexNode item : items) {
        if (item.nullable()) {
          return true;
        }
      }
      return false;
    }
  }

  /// Between `min` and `max` times; `max` is [#UNBOUNDED] for no limit.
  record Repeat(RegexNode body, int min, int max, Greed greed) implements RegexNode {
    static final int UNBOUNDED = Integer.MAX_VALUE;

    @Override
    public boolean nullable() {
      return min == 0 || body.nullable();
    }
  }

  /// A group that is never entered again once it has matched.
  record Atomic(RegexNode body) implements RegexNode {
    @Override
    public boolean nullable() {
      return body.nullable();
    }
  }

  /// A look at what follows or precedes.
  record Look(RegexNode body, boolean behind, boolean negated) implements RegexNode {
    @Override
    public boolean nullable() {
      return true;
    }
  }

  /// A condition on the position alone.
  record At(Anchor anchor) implements RegexNode {
    @Override
    public boolean nullable() {
      return true;
    }
  }

  /// How many of the possible repetitions a [Repeat] tries first.
  enum Greed {
    GREEDY,
    LAZY,
    POSSESSIVE
  }

  /// Positions that [At] can ask for.
  enum Anchor {
    TEXT_START,
    TEXT_END,
    TEXT_END_OR_LAST_NEWLINE,
    LINE_START,
    LINE_END,
    WORD_BOUNDARY,
    NO_WORD_BOUNDARY
  }
}
