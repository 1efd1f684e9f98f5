package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// A fixed number of doubly linked lists over node numbers; each node is on one of them or on none.
///
/// Every list runs from its oldest to its newest node. Two `int` arrays hold the links of all of
/// them and grow with the largest node seen, so that no operation allocates once they have grown.
/// Operations take constant time. Not safe for use by several threads.
final class NodeLists {
  /// No node; the end of a list.
  static final int NONE = EvictionPolicy.NONE;

  private static final int NO_LIST = -1;

  private final int[] oldest;
  private final int[] newest;
  private final int[] size;
  private int[] older;
  private int[] newer;
  private byte[] listOf;

  /// `lists` empty lists, numbered from 0 and at most 127, with room for nodes below `nodes`.
  NodeLists(int lists, int nodes) {
    oldest = new int[lists];
    newest = new int[lists];
    size = new int[lists];
    Arrays.fill(oldest, NONE);
    Arrays.fill(newest, NONE);
    older = new int[nodes];
    newer = new int[nodes];
    listOf = new byte[nodes];
    Arrays.fill(listOf, (byte) NO_LIST);
  }

  int size(int list) {
    return size[list];
  }

  /// The oldest node of the list, or [#NONE].
  int oldest(int list) {
    return oldest[list];
  }

  /// The oldest node of the list that may be forgotten, or [#NONE].
  int oldestEvictable(int list, PrefixView tree) {
    int node = oldest[list];
    while (node != NONE && !tree.isEvictable(node)) {
      node = newer[node];
    }
    return node;
  }

  /// The list that holds the node, or -1.
  int listOf(int node) {
    return node < listOf.length ? listOf[node] : NO_LIST;
  }

  /// Makes the node the newest of the list, taking it from where it was.
  void append(int list, int node) {
    reach(node);
    remove(node);
    int before = newest[list];
    older[node] = before;
    newer[node] = NONE;
    if (before == NONE) {
      oldest[list] = node;
    } else {
      newer[before] = node;
    }
    newest[list] = node;
    listOf[node] = (byte) list;
    size[list]++;
  }

  /// Takes the node from its list, if it is on one.
  void remove(int node) {
    int list = listOf(node);
    if (list == NO_LIST) {
      return;
    }
    int before = older[node];
    int after = newer[node];
    if (before == NONE) {
      oldest[list] = after;
    } else {
      newer[before] = after;
    }
    if (after == NONE) {
      newest[list] = before;
    } else {
      older[after] = before;
    }
    listOf[node] = NO_LIST;
    size[list]--;
  }

  private void reach(int node) {
    int old = listOf.length;
    if (node < old) {
      return;
    }
    int grown = Math.max(node + 1, old + (old >> 1));
    older = Arrays.copyOf(older, grown);
    newer = Arrays.copyOf(newer, grown);
    listOf = Arrays.copyOf(listOf, grown);
    Arrays.fill(listOf, old, grown, (byte) NO_LIST);
  }
}
