package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// A binary heap of nodes by a key, least first, that finds a node's place in constant time.
final class LeafHeap {
  private static final int ABSENT = -1;

  private int[] heap;
  private int[] place;
  private double[] key;
  private int size;

  /// Room for nodes below `nodes`, growing on demand.
  LeafHeap(int nodes) {
    heap = new int[nodes];
    place = new int[nodes];
    key = new double[nodes];
    Arrays.fill(place, ABSENT);
  }

  int size() {
    return size;
  }

  /// The node with the least key; the heap is not empty.
  int least() {
    return heap[0];
  }

  double key(int node) {
    return key[node];
  }

  /// Sets the key of a node that is not in the heap.
  void setKey(int node, double newKey) {
    reach(node);
    key[node] = newKey;
  }

  /// Adds the node with the key that was set for it, unless it is in already.
  void add(int node) {
    reach(node);
    if (place[node] == ABSENT) {
      place[node] = size;
      heap[size++] = node;
      up(place[node]);
    }
  }

  /// Takes the node out, if it is in.
  void remove(int node) {
    if (node >= place.length || place[node] == ABSENT) {
      return;
    }
    int hole = place[node];
    place[node] = ABSENT;
    int last = heap[--size];
    if (last != node) {
      heap[hole] = last;
      place[last] = hole;
      down(up(hole));
    }
  }

  private int up(int from) {
    int at = from;
    int node = heap[at];
    while (at > 0 && key[heap[(at - 1) >>> 1]] > key[node]) {
      move(heap[(at - 1) >>> 1], at);
      at = (at - 1) >>> 1;
    }
    move(node, at);
    return at;
  }

  private void down(int from) {
    int at = from;
    int node = heap[at];
    while (true) {
      int child = 2 * at + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && key[heap[child + 1]] < key[heap[child]]) {
        child++;
      }
      if (key[heap[child]] >= key[node]) {
        break;
      }
      move(heap[child], at);
      at = child;
    }
    move(node, at);
  }

  private void move(int node, int to) {
    heap[to] = node;
    place[node] = to;
  }

  private void reach(int node) {
    int old = place.length;
    if (node >= old) {
      int grown = Math.max(node + 1, old + (old >> 1));
      heap = Arrays.copyOf(heap, grown);
      place = Arrays.copyOf(place, grown);
      key = Arrays.copyOf(key, grown);
      Arrays.fill(place, old, grown, ABSENT);
    }
  }
}
