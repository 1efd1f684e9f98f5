package io.kvasir.engine.grammar;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A growing list of places in an [Automaton], each a state with its counter and its stack, and the
/// step by one byte. A text may lead to several places at once where branches begin alike.
final class Threads {
  /// So many places at once are followed while a token is read; a grammar that needs more loses
  /// answers, never validity.
  static final int MAX = 4096;

  private final Automaton automaton;
  private int[] state = new int[16];
  private long[] count = new long[16];
  private @Nullable Frame[] stack = new @Nullable Frame[16];
  private int size;
  private long work;

  Threads(Automaton automaton) {
    this.automaton = automaton;
  }

  int size() {
    return size;
  }

  /// Elementary steps so far: places followed, and compared with those already there.
  long work() {
    return work;
  }

  int state(int i) {
    return state[i];
  }

  long count(int i) {
    return count[i];
  }

  @Nullable Frame stack(int i) {
    return stack[i];
  }

  void truncate(int newSize) {
    Arrays.fill(stack, newSize, Math.max(newSize, size), null);
    size = newSize;
  }

  /// Removes the places before `from`.
  void removeBefore(int from) {
    int kept = size - from;
    System.arraycopy(state, from, state, 0, kept);
    System.arraycopy(count, from, count, 0, kept);
    System.arraycopy(stack, from, stack, 0, kept);
    truncate(kept);
  }

  void set(Threads other) {
    truncate(0);
    for (int i = 0; i < other.size; i++) {
      put(other.state[i], other.count[i], other.stack[i]);
    }
  }

  /// Adds a place that is not among those from `from` on. Rules that have nothing left to read are
  /// ended at once where it is known what follows.
  void add(int from, int newState, long newCount, @Nullable Frame newStack) {
    int s = newState;
    long c = newCount;
    Frame below = newStack;
    while (automaton.kind[s] == Automaton.ENDS_ONLY && below != null && !below.isUnknown()) {
      s = below.state;
      c = below.count;
      below = below.below;
    }
    if (automaton.kind[s] == Automaton.ENDS_ONLY && below == null) {
      c = 0; // equal ends of the text
    }
    work += 1 + size - from;
    for (int i = from; i < size; i++) {
      if (state[i] == s && count[i] == c && Objects.equals(stack[i], below)) {
        return;
      }
    }
    if (size - from < MAX) {
      put(s, c, below);
    }
  }

  private void put(int s, long c, @Nullable Frame below) {
    if (size == state.length) {
      state = Arrays.copyOf(state, 2 * size);
      count = Arrays.copyOf(count, 2 * size);
      stack = Arrays.copyOf(stack, 2 * size);
    }
    state[size] = s;
    count[size] = c;
    stack[size] = below;
    size++;
  }

  /// Appends where byte `b` leads from the places `from` (inclusive) to `to`, which are the last.
  void step(int from, int to, int b) {
    for (int i = from; i < to; i++) {
      step(state[i], count[i], stack[i], b, to);
    }
  }

  private void step(int s, long c, @Nullable Frame below, int b, int out) {
    Automaton a = automaton;
    work++;
    if (a.mayBegin(s, b)) {
      int[] row = a.rows[s];
      if (row.length > 0) {
        if (row[b] >= 0) {
          follow(row[b], c, below, out);
        }
      } else {
        for (int e = a.edgeFrom[s]; e < a.edgeFrom[s + 1]; e++) {
          if (b >= a.edgeLow[e] && b <= a.edgeHigh[e]) {
            follow(e, c, below, out);
          }
        }
      }
      for (int k = a.callFrom[s]; k < a.callFrom[s + 1]; k++) {
        int callee = a.callStart[k];
        if (a.mayBegin(callee, b)) {
          long passed = a.pass(a.callGuard[k], c);
          if (passed >= 0) {
            int back = a.callReturn[k];
            boolean tail = a.kind[back] == Automaton.ENDS_ONLY;
            Frame next = tail ? below : new Frame(back, passed, below);
            step(callee, a.counting(callee).first(), next, b, out);
          }
        }
      }
    }
    if (below != null && !below.isUnknown() && a.mayEnd(s, c)) {
      step(below.state, below.count, below.below, b, out);
    }
  }

  private void follow(int edge, long c, @Nullable Frame below, int out) {
    long passed = automaton.pass(automaton.edgeGuard[edge], c);
    if (passed >= 0) {
      add(out, automaton.edgeTarget[edge], passed, below);
    }
  }

  /// Whether some place from `from` on can end all its rules: the whole text, or as far as the
  /// stack is known.
  boolean canEnd(int from, boolean whole) {
    for (int i = from; i < size; i++) {
      int s = state[i];
      long c = count[i];
      Frame below = stack[i];
      while (automaton.mayEnd(s, c)) {
        if (below == null || below.isUnknown()) {
          if ((below == null) == whole) {
            return true;
          }
          break;
        }
        s = below.state;
        c = below.count;
        below = below.below;
      }
    }
    return false;
  }

  /// A bound on the bytes from the nearest of the places from `from` on to the end of the text, or
  /// as far as the stack is known.
  long cost(int from) {
    long best = Counting.Costs.NEVER;
    for (int i = from; i < size; i++) {
      best = Math.min(best, cost(state[i], count[i]) + cost(stack[i]));
    }
    return best;
  }

  /// A bound on the bytes that a stack adds.
  long cost(@Nullable Frame top) {
    long sum = 0;
    for (Frame f = top; f != null && !f.isUnknown() && sum < Counting.Costs.NEVER; f = f.below) {
      sum += cost(f.state, f.count);
    }
    return sum;
  }

  /// The counter of the lowest rule that is known, in the only place from `from` on; -1 where there
  /// are several.
  long lowestCount(int from) {
    if (size != from + 1) {
      return -1;
    }
    long lowest = count[from];
    for (Frame f = stack[from]; f != null && !f.isUnknown(); f = f.below) {
      lowest = f.count;
    }
    return lowest;
  }

  private long cost(int s, long c) {
    return automaton.counting(s).cost(s, c, automaton.costs);
  }
}
