package io.kvasir.engine.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Collects the rules of an [Automaton], then removes what cannot be part of any finished text.
final class AutomatonBuilder {
  /// The guard that is always open.
  static final int ALWAYS = 0;

  private static final long NEVER = Counting.Costs.NEVER;

  private final Budget budget;
  private final Ints ruleOf = new Ints();
  private final Ints acceptGuard = new Ints();
  private final Ints edgeSource = new Ints();
  private final Ints edgeLow = new Ints();
  private final Ints edgeHigh = new Ints();
  private final Ints edgeTarget = new Ints();
  private final Ints edgeGuard = new Ints();
  private final Ints callSource = new Ints();
  private final Ints callRule = new Ints();
  private final Ints callReturn = new Ints();
  private final Ints callGuard = new Ints();
  private final Ints ruleStart = new Ints();
  private final List<Counting> countings = new ArrayList<>();
  private final List<Guard> guards = new ArrayList<>();

  AutomatonBuilder(Budget budget) {
    this.budget = budget;
    guards.add(count -> count);
  }

  /// What an [Automaton] is made of; see its fields. Handed over, not shared.
  static final class Parts {
    int start;
    int[] edgeFrom = {};
    int[][] edges = {};
    int[] callFrom = {};
    int[][] calls = {};
    int[] acceptGuard = {};
    int[] ruleOf = {};
    Guard[] guards = {};
    Counting[] countings = {};
    long[] stateCost = {};
    long[] ruleCost = {};
  }

  Budget budget() {
    return budget;
  }

  /// A new rule with its start state.
  int rule(Counting counting) {
    int rule = ruleStart.size();
    countings.add(counting);
    ruleStart.add(-1);
    ruleStart.set(rule, state(rule));
    return rule;
  }

  /// Says what the counter of `rule` means, where it was not known when the rule was made.
  void counting(int rule, Counting counting) {
    countings.set(rule, counting);
  }

  int start(int rule) {
    return ruleStart.get(rule);
  }

  int state(int rule) {
    budget.states(1);
    ruleOf.add(rule);
    acceptGuard.add(Automaton.NO_ACCEPT);
    return ruleOf.size() - 1;
  }

  /// A state of `rule` that ends it.
  int end(int rule) {
    int state = state(rule);
    acceptGuard.set(state, ALWAYS);
    return state;
  }

  int guard(Guard guard) {
    guards.add(guard);
    return guards.size() - 1;
  }

  void accept(int state, int guard) {
    acceptGuard.set(state, guard);
  }

  void edge(int from, int low, int high, int to, int guard) {
    budget.work(1);
    edgeSource.add(from);
    edgeLow.add(low);
    edgeHigh.add(high);
    edgeTarget.add(to);
    edgeGuard.add(guard);
  }

  void edge(int from, int b, int to) {
    edge(from, b, b, to, ALWAYS);
  }

  void call(int from, int rule, int to, int guard) {
    budget.work(1);
    callSource.add(from);
    callRule.add(rule);
    callReturn.add(to);
    callGuard.add(guard);
  }

  /// How many states there are so far.
  int states() {
    return ruleOf.size();
  }

  /// How many edges there are so far.
  int edges() {
    return edgeLow.size();
  }

  int edgeSource(int edge) {
    return edgeSource.get(edge);
  }

  int edgeTarget(int edge) {
    return edgeTarget.get(edge);
  }

  void edgeGuard(int edge, int guard) {
    edgeGuard.set(edge, guard);
  }

  /// The automaton that begins in `startRule`.
  ///
  /// @param spellable the bytes that the vocabulary can write one by one; others are removed
  /// @throws GrammarException where no text is left
  Automaton build(int startRule, boolean[] spellable) {
    narrow(spellable);
    CostSearch costs = new CostSearch();
    costs.run();
    if (costs.ofRule(startRule) >= NEVER) {
      throw new GrammarException("no answer can satisfy the grammar");
    }
    for (Counting counting : countings) {
      if (counting instanceof KeyOrder order) {
        order.settle(costs);
      }
    }
    return new Automaton(parts(startRule, costs));
  }

  /// Splits edges so that none holds a byte that cannot be spelled.
  private void narrow(boolean[] spellable) {
    int count = edgeLow.size();
    for (int e = 0; e < count; e++) {
      int low = edgeLow.get(e);
      int high = edgeHigh.get(e);
      int b = low;
      boolean first = true;
      while (b <= high) {
        if (!spellable[b]) {
          b++;
          continue;
        }
        int end = b;
        while (end < high && spellable[end + 1]) {
          end++;
        }
        if (first) {
          edgeLow.set(e, b);
          edgeHigh.set(e, end);
          first = false;
        } else {
          edge(edgeSource.get(e), b, end, edgeTarget.get(e), edgeGuard.get(e));
        }
        b = end + 1;
      }
      if (first) {
        edgeLow.set(e, 1);
        edgeHigh.set(e, 0);
      }
    }
  }

  private Parts parts(int startRule, CostSearch costs) {
    int[] edgeOrder = costs.keptEdges();
    int[] callOrder = costs.keptCalls();
    int[][] edges = {
      picked(edgeLow, edgeOrder),
      picked(edgeHigh, edgeOrder),
      picked(edgeTarget, edgeOrder),
      picked(edgeGuard, edgeOrder)
    };
    int[] starts = new int[callOrder.length];
    for (int i = 0; i < starts.length; i++) {
      starts[i] = ruleStart.get(callRule.get(callOrder[i]));
    }
    int[][] calls = {starts, picked(callReturn, callOrder), picked(callGuard, callOrder)};
    Parts parts = new Parts();
    parts.start = ruleStart.get(startRule);
    parts.edgeFrom = offsets(edgeSource, edgeOrder);
    parts.edges = edges;
    parts.callFrom = offsets(callSource, callOrder);
    parts.calls = calls;
    parts.acceptGuard = acceptGuard.toArray();
    parts.ruleOf = ruleOf.toArray();
    parts.guards = guards.toArray(Guard[]::new);
    parts.countings = countings.toArray(Counting[]::new);
    parts.stateCost = costs.stateCost;
    parts.ruleCost = costs.ruleCost;
    return parts;
  }

  private int[] offsets(Ints source, int[] order) {
    int[] from = new int[ruleOf.size() + 1];
    for (int i : order) {
      from[source.get(i) + 1]++;
    }
    for (int s = 0; s < ruleOf.size(); s++) {
      from[s + 1] += from[s];
    }
    return from;
  }

  private static int[] picked(Ints values, int[] order) {
    int[] out = new int[order.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = values.get(order[i]);
    }
    return out;
  }

  /// Finds the shortest text of each state and rule, after Knuth's generalization of Dijkstra's
  /// algorithm (1977), here by relaxation until nothing gets cheaper.
  private final class CostSearch implements Counting.Costs {
    final long[] stateCost = new long[ruleOf.size()];
    final long[] ruleCost = new long[ruleStart.size()];
    private final int[] edgesInto = bySource(edgeTarget);
    private final int[] callsInto = bySource(callReturn);
    private final int[] edgeIntoFrom = counts(edgeTarget, ruleOf.size());
    private final int[] callIntoFrom = counts(callReturn, ruleOf.size());
    private final int[] callsOf = bySource(callRule);
    private final int[] callsOfFrom = counts(callRule, ruleStart.size());
    private final boolean[] queued = new boolean[ruleOf.size()];
    private final Ints queue = new Ints();

    @Override
    public long ofRule(int rule) {
      return ruleCost[rule];
    }

    @Override
    public long ofState(int state) {
      return stateCost[state];
    }

    void run() {
      Arrays.fill(stateCost, NEVER);
      Arrays.fill(ruleCost, NEVER);
      for (int s = 0; s < ruleOf.size(); s++) {
        if (acceptGuard.get(s) != Automaton.NO_ACCEPT) {
          lower(s, 0);
        }
      }
      // Rounds of a queue: each state waits at most once in a round.
      Ints round = new Ints();
      while (queue.size() > 0) {
        round.clear();
        for (int i = 0; i < queue.size(); i++) {
          round.add(queue.get(i));
        }
        queue.clear();
        for (int i = 0; i < round.size(); i++) {
          queued[round.get(i)] = false;
        }
        for (int i = 0; i < round.size(); i++) {
          relaxInto(round.get(i));
        }
      }
    }

    private void relaxInto(int state) {
      for (int i = edgeIntoFrom[state]; i < edgeIntoFrom[state + 1]; i++) {
        int e = edgesInto[i];
        budget.work(1);
        if (edgeLow.get(e) <= edgeHigh.get(e)) {
          lower(edgeSource.get(e), 1 + stateCost[state]);
        }
      }
      for (int i = callIntoFrom[state]; i < callIntoFrom[state + 1]; i++) {
        relaxCall(callsInto[i]);
      }
      refreshRule(ruleOf.get(state));
    }

    private void relaxCall(int call) {
      budget.work(1);
      lower(callSource.get(call), ruleCost[callRule.get(call)] + stateCost[callReturn.get(call)]);
    }

    /// Recomputes the cost of `rule`, and of those that call it where it fell.
    private void refreshRule(int rule) {
      Ints todo = new Ints();
      todo.add(rule);
      while (todo.size() > 0) {
        int r = todo.removeLast();
        Counting counting = countings.get(r);
        long cost = counting.cost(ruleStart.get(r), counting.first(), this);
        budget.work(1);
        if (cost >= ruleCost[r]) {
          continue;
        }
        ruleCost[r] = cost;
        for (int i = callsOfFrom[r]; i < callsOfFrom[r + 1]; i++) {
          relaxCall(callsOf[i]);
          // What a counter owes may have become cheaper with the rule that is called.
          todo.add(ruleOf.get(callSource.get(callsOf[i])));
        }
      }
    }

    private void lower(int state, long cost) {
      if (cost < stateCost[state]) {
        stateCost[state] = cost;
        if (!queued[state]) {
          queued[state] = true;
          queue.add(state);
        }
      }
    }

    int[] keptEdges() {
      int[] order = bySource(edgeSource);
      return Arrays.stream(order)
          .filter(e -> edgeLow.get(e) <= edgeHigh.get(e) && stateCost[edgeTarget.get(e)] < NEVER)
          .toArray();
    }

    int[] keptCalls() {
      int[] order = bySource(callSource);
      return Arrays.stream(order)
          .filter(c -> ruleCost[callRule.get(c)] < NEVER && stateCost[callReturn.get(c)] < NEVER)
          .toArray();
    }

    private static int[] counts(Ints keys, int size) {
      int[] from = new int[size + 1];
      for (int i = 0; i < keys.size(); i++) {
        from[keys.get(i) + 1]++;
      }
      for (int s = 0; s < size; s++) {
        from[s + 1] += from[s];
      }
      return from;
    }

    /// The numbers of all entries, sorted by key; equal keys stay in order.
    private int[] bySource(Ints keys) {
      int[] from = counts(keys, Math.max(ruleOf.size(), ruleStart.size()));
      int[] out = new int[keys.size()];
      for (int i = 0; i < keys.size(); i++) {
        out[from[keys.get(i)]++] = i;
      }
      return out;
    }
  }
}
