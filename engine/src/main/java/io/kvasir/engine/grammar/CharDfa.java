package io.kvasir.engine.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/// A deterministic automaton over characters: a regular set of texts, each with a label.
///
/// State 0 is the start. A state's edges are sorted by character and do not overlap; a character
/// without an edge leads nowhere. Every state that is reachable can reach a labelled one, unless
/// the whole language is empty. Immutable.
final class CharDfa {
  static final int NO_LABEL = -1;

  private final int[] edgeFrom;
  private final int[] low;
  private final int[] high;
  private final int[] target;
  private final int[] labels;

  private CharDfa(int[] edgeFrom, int[] low, int[] high, int[] target, int[] labels) {
    this.edgeFrom = edgeFrom;
    this.low = low;
    this.high = high;
    this.target = target;
    this.labels = labels;
  }

  /// What a product makes of the labels of its parts.
  interface Labeller {
    /// The label of a state.
    ///
    /// @param labels the labels of the parts' states; [#NO_LABEL] also for a part that is dead
    int label(int[] labels);
  }

  int states() {
    return labels.length;
  }

  int label(int state) {
    return labels[state];
  }

  /// The number of the first edge of `state`; its last is before that of the next state.
  int firstEdge(int state) {
    return edgeFrom[state];
  }

  /// How many edges there are in all.
  int edges() {
    return low.length;
  }

  int low(int edge) {
    return low[edge];
  }

  int high(int edge) {
    return high[edge];
  }

  int target(int edge) {
    return target[edge];
  }

  /// Whether no text is in the language.
  boolean isEmpty() {
    return labels.length == 1 && labels[0] == NO_LABEL && edgeFrom[1] == 0;
  }

  /// The label of `text`, or [#NO_LABEL].
  int match(String text) {
    int state = 0;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      state = next(state, c);
      if (state < 0) {
        return NO_LABEL;
      }
    }
    return labels[state];
  }

  int next(int state, int c) {
    for (int e = edgeFrom[state]; e < edgeFrom[state + 1]; e++) {
      if (c >= low[e] && c <= high[e]) {
        return target[e];
      }
    }
    return -1;
  }

  /// All texts of `least` to `most` characters (-1: without end), with label 0.
  static CharDfa lengths(int least, int most, Budget budget) {
    Builder builder = new Builder(budget);
    int last = most < 0 ? least : most;
    for (int i = 0; i <= last; i++) {
      builder.state(i >= least ? 0 : NO_LABEL);
      int next = i < last ? i + 1 : most < 0 ? i : -1;
      if (next >= 0) {
        builder.edges(CharSet.ALL, next);
      }
    }
    return builder.build();
  }

  /// The given texts, each with its place in the list as label; of equal texts the first counts.
  static CharDfa texts(List<String> texts, Budget budget) {
    List<Map<Integer, Integer>> nodes = new ArrayList<>();
    Ints labels = new Ints();
    nodes.add(new TreeMap<>());
    labels.add(NO_LABEL);
    for (int i = 0; i < texts.size(); i++) {
      int node = 0;
      String text = texts.get(i);
      budget.work(text.length());
      for (int at = 0; at < text.length(); ) {
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        if (c >= 0xD800 && c <= 0xDFFF) {
          throw new GrammarException("the text \"" + text + "\" holds half of a surrogate pair");
        }
        Integer next = nodes.get(node).get(c);
        if (next == null) {
          budget.states(1);
          next = nodes.size();
          nodes.add(new TreeMap<>());
          labels.add(NO_LABEL);
          nodes.get(node).put(c, next);
        }
        node = next;
      }
      if (labels.get(node) == NO_LABEL) {
        labels.set(node, i);
      }
    }
    Builder builder = new Builder(budget);
    for (int node = 0; node < nodes.size(); node++) {
      builder.state(labels.get(node));
      nodes.get(node).forEach((c, next) -> builder.edge(c, c, next));
    }
    return builder.build();
  }

  /// The texts that all of `parts` hold, with label 0.
  static CharDfa intersection(List<CharDfa> parts, Budget budget) {
    if (parts.size() == 1) {
      return parts.getFirst();
    }
    return product(
        parts,
        labels -> {
          for (int label : labels) {
            if (label == NO_LABEL) {
              return NO_LABEL;
            }
          }
          return 0;
        },
        true,
        budget);
  }

  /// The automaton that runs `parts` side by side.
  ///
  /// @param all whether a text is lost as soon as one part is dead, rather than when all are
  static CharDfa product(List<CharDfa> parts, Labeller labeller, boolean all, Budget budget) {
    Map<List<Integer>, Integer> ids = new HashMap<>();
    ArrayDeque<List<Integer>> todo = new ArrayDeque<>();
    Builder builder = new Builder(budget);
    List<Integer> start = new ArrayList<>();
    parts.forEach(p -> start.add(0));
    ids.put(start, 0);
    todo.add(start);
    while (!todo.isEmpty()) {
      List<Integer> tuple = todo.remove();
      int[] labels = new int[parts.size()];
      int[] cuts = cuts(parts, tuple, labels, budget);
      builder.state(labeller.label(labels));
      for (int i = 0; i + 1 < cuts.length; i++) {
        int c = cuts[i];
        if (c >= 0xD800 && c <= 0xDFFF) {
          continue;
        }
        List<Integer> next = new ArrayList<>(parts.size());
        int dead = 0;
        for (int p = 0; p < parts.size(); p++) {
          int to = tuple.get(p) < 0 ? -1 : parts.get(p).next(tuple.get(p), c);
          dead += to < 0 ? 1 : 0;
          next.add(to);
        }
        if (dead == parts.size() || all && dead > 0) {
          continue;
        }
        Integer id = ids.get(next);
        if (id == null) {
          budget.states(1);
          id = ids.size();
          ids.put(next, id);
          todo.add(next);
        }
        builder.edge(c, cuts[i + 1] - 1, id);
      }
    }
    return builder.build();
  }

  private static int[] cuts(List<CharDfa> parts, List<Integer> tuple, int[] labels, Budget budget) {
    TreeSet<Integer> cuts = new TreeSet<>();
    for (int p = 0; p < parts.size(); p++) {
      CharDfa part = parts.get(p);
      int state = tuple.get(p);
      labels[p] = state < 0 ? NO_LABEL : part.labels[state];
      if (state >= 0) {
        for (int e = part.edgeFrom[state]; e < part.edgeFrom[state + 1]; e++) {
          cuts.add(part.low[e]);
          cuts.add(part.high[e] + 1);
        }
      }
    }
    budget.work(10L + 10L * cuts.size());
    return cuts.stream().mapToInt(Integer::intValue).toArray();
  }

  /// Collects states in the order of their numbers, each followed by its edges in ascending order.
  static final class Builder {
    private final Budget budget;
    private final Ints edgeFrom = new Ints();
    private final Ints low = new Ints();
    private final Ints high = new Ints();
    private final Ints target = new Ints();
    private final Ints labels = new Ints();

    Builder(Budget budget) {
      this.budget = budget;
    }

    void state(int label) {
      edgeFrom.add(low.size());
      labels.add(label);
    }

    void edge(int from, int to, int next) {
      int last = low.size() - 1;
      if (last >= edgeFrom.get(labels.size() - 1)
          && high.get(last) == from - 1
          && target.get(last) == next) {
        high.set(last, to);
        return;
      }
      budget.work(1);
      low.add(from);
      high.add(to);
      target.add(next);
    }

    void edges(CharSet set, int next) {
      for (int i = 0; i < set.size(); i++) {
        edge(set.low(i), set.high(i), next);
      }
    }

    CharDfa build() {
      edgeFrom.add(low.size());
      return new CharDfa(
              edgeFrom.toArray(), low.toArray(), high.toArray(), target.toArray(), labels.toArray())
          .trimmed(budget);
    }
  }

  /// Without the states from which no labelled one can be reached, and without those that cannot be
  /// reached themselves; equal states become one.
  private CharDfa trimmed(Budget budget) {
    boolean[] useful = useful();
    int[] block = blocks(useful, budget);
    int[] number = new int[states()];
    Arrays.fill(number, -1);
    Ints order = new Ints();
    int[] representative = new int[states()];
    Arrays.fill(representative, -1);
    for (int s = states() - 1; s >= 0; s--) {
      representative[block[s]] = s;
    }
    number[block[0]] = 0;
    order.add(0);
    Builder out = new Builder(budget);
    for (int i = 0; i < order.size(); i++) {
      int s = order.get(i);
      out.state(labels[s]);
      for (int e = edgeFrom[s]; e < edgeFrom[s + 1]; e++) {
        int to = target[e];
        if (!useful[to]) {
          continue;
        }
        if (number[block[to]] < 0) {
          number[block[to]] = order.size();
          order.add(representative[block[to]]);
        }
        out.edge(low[e], high[e], number[block[to]]);
      }
    }
    out.edgeFrom.add(out.low.size());
    return new CharDfa(
        out.edgeFrom.toArray(),
        out.low.toArray(),
        out.high.toArray(),
        out.target.toArray(),
        out.labels.toArray());
  }

  private boolean[] useful() {
    int n = states();
    int[] count = new int[n + 1];
    for (int t : target) {
      count[t + 1]++;
    }
    for (int s = 0; s < n; s++) {
      count[s + 1] += count[s];
    }
    int[] sources = new int[target.length];
    int[] fill = Arrays.copyOf(count, n);
    for (int s = 0; s < n; s++) {
      for (int e = edgeFrom[s]; e < edgeFrom[s + 1]; e++) {
        sources[fill[target[e]]++] = s;
      }
    }
    boolean[] useful = new boolean[n];
    Ints todo = new Ints();
    for (int s = 0; s < n; s++) {
      if (labels[s] != NO_LABEL) {
        useful[s] = true;
        todo.add(s);
      }
    }
    while (todo.size() > 0) {
      int s = todo.removeLast();
      for (int i = count[s]; i < count[s + 1]; i++) {
        if (!useful[sources[i]]) {
          useful[sources[i]] = true;
          todo.add(sources[i]);
        }
      }
    }
    return useful;
  }

  /// A block number for each state, equal where the states hold the same texts (Moore's partition
  /// refinement). Stops refining early, with every state alone, where that takes too many rounds.
  private int[] blocks(boolean[] useful, Budget budget) {
    int n = states();
    int[] alone = new int[n];
    for (int s = 0; s < n; s++) {
      alone[s] = s;
    }
    int[] block = new int[n];
    Map<List<Integer>, Integer> first = new HashMap<>();
    for (int s = 0; s < n; s++) {
      block[s] = first.computeIfAbsent(List.of(labels[s], useful[s] ? 1 : 0), k -> first.size());
    }
    int blocks = first.size();
    for (int round = 0; round < 40; round++) {
      budget.work(n + target.length);
      Map<List<Integer>, Integer> ids = new HashMap<>();
      int[] refined = new int[n];
      for (int s = 0; s < n; s++) {
        List<Integer> key = new ArrayList<>();
        key.add(block[s]);
        int lastHigh = -2;
        for (int e = edgeFrom[s]; e < edgeFrom[s + 1]; e++) {
          if (!useful[target[e]]) {
            continue;
          }
          int to = block[target[e]];
          if (lastHigh == low[e] - 1 && key.getLast() == to) {
            key.set(key.size() - 2, high[e]);
          } else {
            key.add(low[e]);
            key.add(high[e]);
            key.add(to);
          }
          lastHigh = high[e];
        }
        refined[s] = ids.computeIfAbsent(key, k -> ids.size());
      }
      if (ids.size() == blocks) {
        return refined;
      }
      block = refined;
      blocks = ids.size();
    }
    return alone;
  }
}
