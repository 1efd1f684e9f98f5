package io.kvasir.engine.grammar;

/// What a rule's counter means. A rule is entered with a counter of [#first]; guards test and
/// change it.
interface Counting {

  /// The counter at the rule's start.
  default long first() {
    return 0;
  }

  /// A counter that no guard can tell from `count` within `reach` bytes: equal counters share a
  /// mask.
  default long representative(long count, int reach) {
    return count;
  }

  /// A counter from [#VIRTUAL] on stands for one that no limit is near to; each step that counts
  /// still adds one, so that it tells how many there were.
  long VIRTUAL = 1L << 40;

  /// How many more steps that count are possible at `count`, where nothing else about the counter
  /// matters any more; -1 where that is not so.
  default long remaining(long count) {
    return -1;
  }

  /// A bound on the bytes from `state` to the end of the rule, [Costs#NEVER] where there is no way.
  /// Wherever it is finite, some byte leads to where it is smaller.
  default long cost(int state, long count, Costs costs) {
    return costs.ofState(state);
  }

  /// The shortest texts of rules and states, in bytes, guards ignored.
  interface Costs {
    /// No text at all. Sums saturate here.
    long NEVER = 1L << 40;

    long ofRule(int rule);

    long ofState(int state);
  }

  /// A rule that does not count.
  Counting NONE = new Counting() {};
}
