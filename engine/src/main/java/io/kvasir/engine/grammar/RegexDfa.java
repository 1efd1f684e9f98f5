package io.kvasir.engine.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Turns a [Regex] into a [CharDfa]: Thompson's construction, then the construction of subsets,
/// both within a budget.
final class RegexDfa {
  private static final int MAX_NFA_STATES = 60_000;

  private final Budget budget;
  private final List<CharSet> sets = new ArrayList<>();
  private final Ints setTarget = new Ints();
  private final Ints emptyA = new Ints();
  private final Ints emptyB = new Ints();
  private final Ints mark = new Ints();
  private int markNow;

  private RegexDfa(Budget budget) {
    this.budget = budget;
  }

  /// The texts that `regex` matches as a whole.
  static CharDfa whole(Regex regex, Budget budget) {
    return of(regex, budget);
  }

  /// The texts in which `regex` matches somewhere.
  static CharDfa anywhere(Regex regex, Budget budget) {
    Regex any = Regex.times(new Regex.Chars(CharSet.ALL), 0, -1);
    return of(Regex.seq(any, regex, any), budget);
  }

  private static CharDfa of(Regex regex, Budget budget) {
    RegexDfa nfa = new RegexDfa(budget);
    int end = nfa.state();
    int start = nfa.add(regex, end);
    return nfa.determinize(start, end);
  }

  private int state() {
    if (sets.size() >= MAX_NFA_STATES) {
      throw new GrammarException(
          "the pattern is too large: it needs more than " + MAX_NFA_STATES + " states");
    }
    sets.add(CharSet.EMPTY);
    setTarget.add(-1);
    emptyA.add(-1);
    emptyB.add(-1);
    mark.add(0);
    return sets.size() - 1;
  }

  private int split(int a, int b) {
    int s = state();
    emptyA.set(s, a);
    emptyB.set(s, b);
    return s;
  }

  /// Adds `regex` before state `next` and returns where it begins.
  private int add(Regex regex, int next) {
    return switch (regex) {
      case Regex.Chars(CharSet set) -> {
        int s = state();
        sets.set(s, set);
        setTarget.set(s, next);
        yield s;
      }
      case Regex.Seq(List<Regex> parts) -> {
        int s = next;
        for (int i = parts.size() - 1; i >= 0; i--) {
          s = add(parts.get(i), s);
        }
        yield s;
      }
      case Regex.Alt(List<Regex> branches) -> {
        int s = -1;
        for (int i = branches.size() - 1; i >= 0; i--) {
          int branch = add(branches.get(i), next);
          s = s < 0 ? branch : split(branch, s);
        }
        yield s < 0 ? state() : s;
      }
      case Regex.Repeat(Regex part, int min, int max) -> repeat(part, min, max, next);
    };
  }

  private int repeat(Regex part, int min, int max, int next) {
    int s = next;
    if (max < 0) {
      int loop = split(-1, next);
      emptyA.set(loop, add(part, loop));
      s = loop;
    } else {
      for (int i = min; i < max; i++) {
        s = split(add(part, s), next);
      }
    }
    for (int i = 0; i < min; i++) {
      s = add(part, s);
    }
    return s;
  }

  private CharDfa determinize(int nfaStart, int nfaEnd) {
    // The symbol for the text's begin is read at once, that for its end decides what is accepted.
    int[] start = passed(closure(new int[] {nfaStart}), CharSet.BEGIN);
    Map<Key, Integer> ids = new HashMap<>();
    ArrayDeque<int[]> todo = new ArrayDeque<>();
    CharDfa.Builder builder = new CharDfa.Builder(budget);
    ids.put(new Key(start), 0);
    todo.add(start);
    while (!todo.isEmpty()) {
      int[] subset = todo.remove();
      int[] ended = passed(subset, CharSet.END);
      builder.state(Arrays.binarySearch(ended, nfaEnd) >= 0 ? 0 : CharDfa.NO_LABEL);
      int[] cuts = cuts(subset);
      for (int i = 0; i + 1 < cuts.length; i++) {
        int[] moved = moved(subset, cuts[i]);
        if (moved.length == 0) {
          continue;
        }
        int[] next = closure(moved);
        Integer id = ids.get(new Key(next));
        if (id == null) {
          budget.states(1);
          id = ids.size();
          ids.put(new Key(next), id);
          todo.add(next);
        }
        builder.edge(cuts[i], cuts[i + 1] - 1, id);
      }
    }
    return builder.build();
  }

  /// A subset as a key of a map.
  private static final class Key {
    private final int[] states;

    Key(int[] states) {
      this.states = states;
    }

    @Override
    public boolean equals(@Nullable Object o) {
      return o instanceof Key other && Arrays.equals(states, other.states);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(states);
    }
  }

  /// Where the subset's edges change, ascending, below the symbols that are no characters.
  private int[] cuts(int[] subset) {
    Ints cuts = new Ints();
    for (int s : subset) {
      CharSet set = sets.get(s);
      for (int i = 0; i < set.size(); i++) {
        if (set.low(i) <= CharSet.MAX) {
          cuts.add(set.low(i));
          cuts.add(Math.min(set.high(i), CharSet.MAX) + 1);
        }
      }
    }
    int[] sorted = cuts.toArray();
    budget.work(1 + 2L * sorted.length);
    Arrays.sort(sorted);
    int n = 0;
    for (int i = 0; i < sorted.length; i++) {
      if (i == 0 || sorted[i] != sorted[n - 1]) {
        sorted[n++] = sorted[i];
      }
    }
    return Arrays.copyOf(sorted, n);
  }

  private int[] moved(int[] subset, int c) {
    budget.work(1 + subset.length);
    Ints out = new Ints();
    markNow++;
    for (int s : subset) {
      int to = setTarget.get(s);
      if (to >= 0 && mark.get(to) != markNow && sets.get(s).contains(c)) {
        mark.set(to, markNow);
        out.add(to);
      }
    }
    return out.toArray();
  }

  /// The subset after any number of anchors `symbol`, none included: they take no character.
  private int[] passed(int[] subset, int symbol) {
    int[] all = subset;
    while (true) {
      int[] more = moved(all, symbol);
      int[] joined = Arrays.copyOf(all, all.length + more.length);
      System.arraycopy(more, 0, joined, all.length, more.length);
      int[] next = closure(Arrays.stream(joined).distinct().toArray());
      if (next.length <= all.length) {
        return next;
      }
      all = next;
    }
  }

  private int[] closure(int[] states) {
    Ints todo = new Ints();
    Ints out = new Ints();
    markNow++;
    for (int s : states) {
      mark.set(s, markNow);
      todo.add(s);
    }
    while (todo.size() > 0) {
      int s = todo.removeLast();
      budget.work(1);
      if (setTarget.get(s) >= 0 || emptyA.get(s) < 0 && emptyB.get(s) < 0) {
        out.add(s);
      }
      push(emptyA.get(s), todo);
      push(emptyB.get(s), todo);
    }
    int[] result = out.toArray();
    Arrays.sort(result);
    return result;
  }

  private void push(int s, Ints todo) {
    if (s >= 0 && mark.get(s) != markNow) {
      mark.set(s, markNow);
      todo.add(s);
    }
  }
}
