package io.kvasir.engine.grammar;

/// Counts the characters of a string or the items of an array.
///
/// @param min the least count
/// @param max the greatest count, at least `min`; [#UNBOUNDED] for none
/// @param itemRule the rule of an item, of which each costs one byte more for its comma; -1 where
///   an item is one byte
record Repetition(long min, long max, int itemRule) implements Counting {
  static final long UNBOUNDED = Long.MAX_VALUE;

  Repetition {
    if (min < 0 || max < min) {
      throw new IllegalArgumentException("a count from " + min + " to " + max);
    }
  }

  /// Opens while there is room for one more, and counts it.
  Guard one() {
    return count -> {
      if (max == UNBOUNDED) {
        return count >= min ? count : count + 1;
      }
      return count >= max && count < VIRTUAL ? -1 : count + 1;
    };
  }

  /// Opens when there are enough.
  Guard enough() {
    return count -> count >= min ? count : -1;
  }

  @Override
  public long representative(long count, int reach) {
    if (max != UNBOUNDED && max - count < reach) {
      return count;
    }
    return count >= min ? min : min - count > reach ? 0 : count;
  }

  @Override
  public long remaining(long count) {
    return max < VIRTUAL && count >= min ? max - count : -1;
  }

  @Override
  public long cost(int state, long count, Costs costs) {
    long end = costs.ofState(state);
    if (count >= min || end == 0 || end >= Costs.NEVER) {
      return end;
    }
    long item = itemRule < 0 ? 1 : 1 + costs.ofRule(itemRule);
    long missing = min - count;
    return item >= Costs.NEVER || missing > Costs.NEVER / item
        ? Costs.NEVER
        : Math.min(Costs.NEVER, end + missing * item);
  }
}
