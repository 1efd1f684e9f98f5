package io.kvasir.engine.grammar;

import java.util.Arrays;

/// A pushdown automaton over bytes.
///
/// It consists of rules. Within a rule an edge reads one byte, or calls another rule and goes on
/// behind it; a state may end its rule. Edges may carry a [Guard] on the rule's counter. No rule
/// that is called matches the empty text, and no rule can call itself before it has read a byte, so
/// reading a byte always ends.
///
/// From every state a way leads to the end of its rule for every counter that guards let arise:
/// that is what makes dead ends impossible. [AutomatonBuilder] removes all others.
///
/// Immutable; the arrays are not written after construction.
final class Automaton {
  /// No end of the rule in this state.
  static final int NO_ACCEPT = -1;

  /// Ends its rule and does nothing else, whatever the counter.
  static final byte ENDS_ONLY = 1;

  private static final int[] NO_ROW = {};
  private static final int MAX_ROWS = 16_000;

  final int start;
  final int[] edgeFrom;
  final int[] edgeLow;
  final int[] edgeHigh;
  final int[] edgeTarget;
  final int[] edgeGuard;
  final int[] callFrom;
  final int[] callStart;
  final int[] callReturn;
  final int[] callGuard;
  final int[] acceptGuard;
  final byte[] kind;
  final int[] ruleOf;
  final Guard[] guards;
  final Counting[] countings;

  /// For states with many edges the edge of each byte, -1 for none; no array for other states.
  final int[][] rows;

  /// Bytes that may be read from a state without ending its rule, four words a state.
  final long[] firstBytes;

  /// The least bytes from a state to the end of its rule, guards ignored, and those of a rule.
  final Counting.Costs costs;

  Automaton(AutomatonBuilder.Parts p) {
    start = p.start;
    edgeFrom = p.edgeFrom;
    edgeLow = p.edges[0];
    edgeHigh = p.edges[1];
    edgeTarget = p.edges[2];
    edgeGuard = p.edges[3];
    callFrom = p.callFrom;
    callStart = p.calls[0];
    callReturn = p.calls[1];
    callGuard = p.calls[2];
    acceptGuard = p.acceptGuard;
    ruleOf = p.ruleOf;
    guards = p.guards;
    countings = p.countings;
    costs = new FixedCosts(p.stateCost, p.ruleCost);
    kind = new byte[ruleOf.length];
    for (int s = 0; s < kind.length; s++) {
      boolean nothing = edgeFrom[s] == edgeFrom[s + 1] && callFrom[s] == callFrom[s + 1];
      kind[s] = nothing && acceptGuard[s] == 0 ? ENDS_ONLY : 0;
    }
    firstBytes = firstBytes();
    rows = new int[kind.length][];
    int room = MAX_ROWS;
    for (int s = 0; s < rows.length; s++) {
      boolean many = edgeFrom[s + 1] - edgeFrom[s] >= 3;
      rows[s] = many && room-- > 0 ? row(s) : NO_ROW;
    }
  }

  private static final class FixedCosts implements Counting.Costs {
    private final long[] ofStates;
    private final long[] ofRules;

    FixedCosts(long[] ofStates, long[] ofRules) {
      this.ofStates = ofStates;
      this.ofRules = ofRules;
    }

    @Override
    public long ofRule(int rule) {
      return ofRules[rule];
    }

    @Override
    public long ofState(int state) {
      return ofStates[state];
    }
  }

  int states() {
    return ruleOf.length;
  }

  Counting counting(int state) {
    return countings[ruleOf[state]];
  }

  long pass(int guard, long count) {
    return guard == 0 ? count : guards[guard].pass(count);
  }

  boolean mayEnd(int state, long count) {
    int guard = acceptGuard[state];
    return guard == 0 || guard > 0 && guards[guard].pass(count) >= 0;
  }

  boolean mayBegin(int state, int b) {
    return (firstBytes[4 * state + (b >>> 6)] >>> b & 1) != 0;
  }

  /// Bytes of memory that the arrays take, roughly.
  long bytes() {
    long rowBytes = 0;
    for (int[] row : rows) {
      rowBytes += 4L * row.length;
    }
    return rowBytes
        + 20L * edgeLow.length
        + 12L * callStart.length
        + 90L * states()
        + 32L * guards.length;
  }

  /// The edge of each byte; no row where a byte has several.
  private int[] row(int state) {
    int[] row = new int[256];
    Arrays.fill(row, -1);
    for (int e = edgeFrom[state]; e < edgeFrom[state + 1]; e++) {
      for (int b = edgeLow[e]; b <= edgeHigh[e]; b++) {
        if (row[b] >= 0) {
          return NO_ROW;
        }
        row[b] = e;
      }
    }
    return row;
  }

  private long[] firstBytes() {
    long[] first = new long[4 * states()];
    for (int s = 0; s < states(); s++) {
      for (int e = edgeFrom[s]; e < edgeFrom[s + 1]; e++) {
        for (int b = edgeLow[e]; b <= edgeHigh[e]; b++) {
          first[4 * s + (b >>> 6)] |= 1L << b;
        }
      }
    }
    boolean changed = true;
    while (changed) { // as many rounds as calls follow each other without a byte: very few
      changed = false;
      for (int s = states() - 1; s >= 0; s--) {
        for (int c = callFrom[s]; c < callFrom[s + 1]; c++) {
          for (int w = 0; w < 4; w++) {
            long old = first[4 * s + w];
            first[4 * s + w] |= first[4 * callStart[c] + w];
            changed |= old != first[4 * s + w];
          }
        }
      }
    }
    return first;
  }
}
