package io.kvasir.engine.grammar;

import java.util.Arrays;

/// Counts through an object: which of its named properties may still come, and how many properties
/// there have been. Properties come in the order of the schema, then those without a name of their
/// own ("free" ones).
///
/// The counter's low half is the next named property that may come, its high half the number of
/// properties so far, which stays 0 where the schema does not ask. A free name may come twice, so
/// free properties count as one towards the least number and each towards the greatest.
final class KeyOrder implements Counting {
  private static final long ONE_MORE = 1L << 32;

  private final boolean[] required;
  private final long min;
  private final long max;
  private final int[] nextRequired;
  private final int[] requiredFrom;

  /// Bytes of each name, quotes included, and the state behind it; set while the rule is built.
  private final int[] keyBytes;

  private final int[] chosen;

  /// The states behind free names of each class, whose labels follow those of the named ones.
  private final Ints freeChosen = new Ints();

  /// For each state within a name, from `firstState` on, the bytes of the name so far and the
  /// labels that it can still become.
  private int firstState;

  private int[] written = {};
  private int[][] below = {};
  private int[][] freeBytes = {};
  private int longestFree;

  private final boolean[] alive;
  private final int[] aliveFrom;
  private boolean[] freeAlive = {};
  private boolean anyFree;

  /// @param required for each named property whether it must come
  /// @param min the least number of properties
  /// @param max the greatest, or [Repetition#UNBOUNDED]
  KeyOrder(boolean[] required, long min, long max) {
    int n = required.length;
    this.required = required;
    this.min = min;
    this.max = max;
    this.nextRequired = new int[n + 1];
    this.requiredFrom = new int[n + 1];
    this.keyBytes = new int[n];
    this.chosen = new int[n];
    this.alive = new boolean[n];
    this.aliveFrom = new int[n + 1];
    nextRequired[n] = n;
    for (int k = n - 1; k >= 0; k--) {
      nextRequired[k] = required[k] ? k : nextRequired[k + 1];
      requiredFrom[k] = requiredFrom[k + 1] + (required[k] ? 1 : 0);
    }
    Arrays.fill(alive, true);
    countAlive();
  }

  /// How many properties are named; labels from there on are free ones.
  int namedCount() {
    return required.length;
  }

  /// Says that name `k` takes `bytes` bytes with its quotes and `state` follows it.
  void key(int k, int bytes, int state) {
    keyBytes[k] = bytes;
    chosen[k] = state;
  }

  /// Says which state follows the free names with `label`; labels come in ascending order.
  void freeKey(int label, int state) {
    while (required.length + freeChosen.size() <= label) {
      freeChosen.add(-1);
    }
    freeChosen.set(label - required.length, state);
    anyFree = true;
    freeAlive = new boolean[freeChosen.size()];
    Arrays.fill(freeAlive, true);
  }

  /// Says what the states from `first` on, which are within names, can still become.
  ///
  /// @param writtenBytes the bytes of the name up to each state
  /// @param labelsBelow the labels that each may become, ascending
  /// @param toFree for each class of free names the bytes from each state to the name's end
  void names(int first, int[] writtenBytes, int[][] labelsBelow, int[][] toFree) {
    firstState = first;
    written = writtenBytes;
    below = labelsBelow;
    freeBytes = toFree;
    longestFree = 0;
    for (int[] bytes : toFree) {
      longestFree = Math.max(longestFree, bytes.length == 0 ? 0 : bytes[bytes.length - 1]);
    }
  }

  /// Learns which properties can have a value at all.
  void settle(Costs costs) {
    for (int k = 0; k < alive.length; k++) {
      alive[k] = costs.ofState(chosen[k]) < Costs.NEVER;
    }
    anyFree = false;
    for (int i = 0; i < freeAlive.length; i++) {
      freeAlive[i] = freeChosen.get(i) >= 0 && costs.ofState(freeChosen.get(i)) < Costs.NEVER;
      anyFree |= freeAlive[i];
    }
    countAlive();
  }

  private void countAlive() {
    for (int k = alive.length - 1; k >= 0; k--) {
      aliveFrom[k] = aliveFrom[k + 1] + (alive[k] ? 1 : 0);
    }
  }

  private static int next(long count) {
    return (int) count;
  }

  private static long sofar(long count) {
    return count >>> 32;
  }

  private boolean counts() {
    return min > 0 || max != Repetition.UNBOUNDED;
  }

  private boolean keyMay(int k, long sofar) {
    return alive[k]
        && sofar + 1 + aliveFrom[k + 1] + (anyFree ? 1 : 0) >= min
        && (required[k] || max == Repetition.UNBOUNDED || sofar + 1 + requiredFrom[k + 1] <= max);
  }

  private boolean freeMay(long count) {
    return anyFree
        && requiredFrom[next(count)] == 0
        && sofar(count) < max
        && sofar(count) + 1 >= min;
  }

  private boolean anyMay(int[] labels, long count) {
    for (int i = labels.length - 1; i >= 0 && labels[i] >= required.length; i--) {
      if (freeAlive[labels[i] - required.length] && freeMay(count)) {
        return true;
      }
    }
    int from = next(count);
    int to = nextRequired[from];
    int i = Arrays.binarySearch(labels, from);
    for (i = i < 0 ? -i - 1 : i; i < labels.length && labels[i] <= to; i++) {
      if (labels[i] < required.length && keyMay(labels[i], sofar(count))) {
        return true;
      }
    }
    return false;
  }

  private long after(int next, long count) {
    long sofar = counts() ? sofar(count) + 1 : 0;
    // Beyond both bounds a greater number means the same.
    if (max == Repetition.UNBOUNDED && sofar > min) {
      sofar = min;
    }
    return next + sofar * ONE_MORE;
  }

  /// Opens where the object may end.
  Guard close() {
    return count -> requiredFrom[next(count)] == 0 && sofar(count) >= min ? count : -1;
  }

  /// Opens where one of `labels`, ascending, may come.
  Guard oneOf(int[] labels) {
    return count -> anyMay(labels, count) ? count : -1;
  }

  /// Opens where name `k` may come, and takes it.
  Guard take(int k) {
    return count -> {
      int from = next(count);
      boolean open = k >= from && k <= nextRequired[from] && keyMay(k, sofar(count));
      return open ? after(k + 1, count) : -1;
    };
  }

  /// Opens where a free name may come, and takes it.
  Guard takeFree() {
    return count -> freeMay(count) ? after(required.length, count) : -1;
  }

  @Override
  public long cost(int state, long count, Costs costs) {
    long base = costs.ofState(state);
    if (base == 0 || base >= Costs.NEVER) {
      return base; // behind the object, or never
    }
    int i = state - firstState;
    if (i < 0 || i >= written.length) {
      return Math.min(Costs.NEVER, base + owed(count, costs));
    }
    long best = Costs.NEVER;
    int from = next(count);
    for (int label : below[i]) {
      if (label >= required.length) {
        if (freeMay(count)) {
          int free = label - required.length;
          long rest = freeBytes[free][i] + costs.ofState(freeChosen.get(free));
          best = Math.min(best, rest + owed(after(required.length, count), costs));
        }
      } else if (label >= from && label <= nextRequired[from] && keyMay(label, sofar(count))) {
        long rest = keyBytes[label] - written[i] + costs.ofState(chosen[label]);
        best = Math.min(best, rest + owed(after(label + 1, count), costs));
      }
    }
    return Math.min(best, Costs.NEVER);
  }

  /// A bound on the cost of the properties that must still come.
  private long owed(long count, Costs costs) {
    long sum = 0;
    int from = next(count);
    for (int k = from; k < required.length && sum < Costs.NEVER; k++) {
      if (required[k]) {
        sum += keyBytes[k] + costs.ofState(chosen[k]);
      }
    }
    long missing = min - sofar(count) - requiredFrom[from];
    if (missing > 0 && sum < Costs.NEVER) {
      long dearest = dearestOptional(from, missing, costs);
      sum = dearest > Costs.NEVER / missing ? Costs.NEVER : sum + missing * dearest;
    }
    boolean possible =
        sofar(count) + aliveFrom[from] + (anyFree ? 1 : 0) >= min
            && (max == Repetition.UNBOUNDED || sofar(count) + requiredFrom[from] <= max);
    return possible ? Math.min(sum, Costs.NEVER) : Costs.NEVER;
  }

  private long dearestOptional(int from, long missing, Costs costs) {
    long dearest = 0;
    int found = 0;
    for (int k = from; k < required.length; k++) {
      long cost = costs.ofState(chosen[k]);
      if (!required[k] && cost < Costs.NEVER) {
        found++;
        dearest = Math.max(dearest, keyBytes[k] + cost);
      }
    }
    for (int i = 0; i < freeChosen.size(); i++) {
      long cost = freeChosen.get(i) < 0 ? Costs.NEVER : costs.ofState(freeChosen.get(i));
      if (cost < Costs.NEVER) {
        found += i == 0 ? 1 : 0;
        dearest = Math.max(dearest, longestFree + cost);
      }
    }
    return found < missing ? Costs.NEVER : dearest;
  }
}
