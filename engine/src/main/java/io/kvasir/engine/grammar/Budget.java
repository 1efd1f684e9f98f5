package io.kvasir.engine.grammar;

/// What one compilation may cost. Counting work rather than time makes a refusal repeatable; the
/// limits keep a compilation under about a second and under about 100 MB.
final class Budget {
  static final int MAX_STATES = 250_000;
  static final long MAX_WORK = 40_000_000;

  private long statesLeft = MAX_STATES;
  private long workLeft = MAX_WORK;

  /// Takes note of `count` more states.
  void states(long count) {
    statesLeft -= count;
    if (statesLeft < 0) {
      throw new GrammarException(
          "the grammar is too large: it needs more than " + MAX_STATES + " states");
    }
  }

  /// Takes note of `count` more elementary steps.
  void work(long count) {
    workLeft -= count;
    if (workLeft < 0) {
      throw new GrammarException(
          "the grammar is too complex: compiling it takes more than " + MAX_WORK + " steps");
    }
  }
}
