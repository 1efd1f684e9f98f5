package io.kvasir.engine.grammar;

import java.util.Arrays;

/// Finds what each state within the names of an object can still become, and guards the edges
/// behind which that is less: so no name can be begun that could not be ended.
final class KeyStates {
  private final AutomatonBuilder builder;
  private final int root;
  private final int size;
  private final int firstEdge;
  private final int lastEdge;
  private final int[] written;
  private final int[][] below;

  /// For each class of free names and each state the least bytes to the name's end, its closing
  /// quote included.
  private int[][] freeBytes = {};

  /// The states from `root` and the edges from `firstEdge` that the builder has so far.
  KeyStates(AutomatonBuilder builder, int root, int firstEdge) {
    this.builder = builder;
    this.root = root;
    this.size = builder.states() - root;
    this.firstEdge = firstEdge;
    this.lastEdge = builder.edges();
    this.written = new int[size + 2];
    this.below = new int[size + 2][];
  }

  int size() {
    return size;
  }

  /// Tells `order` all it wants to know, and guards the edges. The two states behind the names' own
  /// stand before a name and can become all.
  ///
  /// @param all all labels, ascending
  /// @param labels the label of each state, or [CharDfa#NO_LABEL]
  void describe(KeyOrder order, int[] all, int[] labels) {
    int[] from = new int[size + 1];
    int[] into = new int[size + 1];
    for (int e = firstEdge; e < lastEdge; e++) {
      from[builder.edgeSource(e) - root + 1]++;
      into[builder.edgeTarget(e) - root + 1]++;
    }
    for (int s = 0; s < size; s++) {
      from[s + 1] += from[s];
      into[s + 1] += into[s];
    }
    int[] edgesFrom = new int[lastEdge - firstEdge];
    int[] edgesInto = new int[lastEdge - firstEdge];
    int[] fillFrom = from.clone();
    int[] fillInto = into.clone();
    for (int e = firstEdge; e < lastEdge; e++) {
      edgesFrom[fillFrom[builder.edgeSource(e) - root]++] = e;
      edgesInto[fillInto[builder.edgeTarget(e) - root]++] = e;
    }
    Arrays.fill(below, new int[0]);
    int named = order.namedCount();
    named(named, labels, from, edgesFrom);
    builder.budget().work((long) (all.length - named) * size);
    freeBytes = new int[all.length - named][];
    for (int label = named; label < all.length; label++) {
      freeBytes[label - named] = free(label, labels, into, edgesInto);
    }
    guard(order);
    below[size] = all;
    below[size + 1] = all;
    order.names(root, written, below, freeBytes);
  }

  /// Named properties form a tree: each state takes over what its children can become.
  private void named(int named, int[] labels, int[] from, int[] edgesFrom) {
    Ints order = new Ints();
    boolean[] seen = new boolean[size];
    Arrays.fill(written, 1);
    order.add(0);
    seen[0] = true;
    for (int i = 0; i < order.size(); i++) {
      int s = order.get(i);
      for (int j = from[s]; j < from[s + 1]; j++) {
        int to = builder.edgeTarget(edgesFrom[j]) - root;
        if (!seen[to]) {
          seen[to] = true;
          written[to] = written[s] + 1;
          order.add(to);
        }
      }
    }
    written[size] = 0;
    written[size + 1] = 0;
    for (int i = order.size() - 1; i >= 0; i--) {
      int s = order.get(i);
      int[] mine = labels[s] >= 0 && labels[s] < named ? new int[] {labels[s]} : new int[0];
      for (int j = from[s]; j < from[s + 1]; j++) {
        mine = merged(mine, below[builder.edgeTarget(edgesFrom[j]) - root]);
      }
      below[s] = mine;
    }
  }

  private int[] merged(int[] a, int[] b) {
    if (a.length == 0 || b.length == 0) {
      return a.length == 0 ? b : a;
    }
    builder.budget().work(a.length + b.length);
    int[] joined = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, joined, a.length, b.length);
    Arrays.sort(joined);
    return Arrays.stream(joined).distinct().toArray();
  }

  private int[] free(int label, int[] labels, int[] into, int[] edgesInto) {
    int[] bytes = new int[size + 2];
    Ints queue = new Ints();
    for (int s = 0; s < size; s++) {
      if (labels[s] == label) {
        bytes[s] = 1;
        queue.add(s);
      }
    }
    for (int i = 0; i < queue.size(); i++) {
      int s = queue.get(i);
      builder.budget().work(1);
      for (int j = into[s]; j < into[s + 1]; j++) {
        int source = builder.edgeSource(edgesInto[j]) - root;
        if (bytes[source] == 0) {
          bytes[source] = bytes[s] + 1;
          queue.add(source);
        }
      }
    }
    for (int s = 0; s < size; s++) {
      if (bytes[s] > 0) {
        int[] more = Arrays.copyOf(below[s], below[s].length + 1);
        more[more.length - 1] = label;
        below[s] = more;
      }
    }
    bytes[size] = bytes[0] + 1;
    bytes[size + 1] = bytes[0] + 1;
    return bytes;
  }

  private void guard(KeyOrder order) {
    int[] guards = new int[size];
    for (int e = firstEdge; e < lastEdge; e++) {
      int source = builder.edgeSource(e) - root;
      int target = builder.edgeTarget(e) - root;
      if (!Arrays.equals(below[source], below[target])) {
        if (guards[target] == 0) {
          guards[target] = builder.guard(order.oneOf(below[target]));
        }
        builder.edgeGuard(e, guards[target]);
      }
    }
  }
}
