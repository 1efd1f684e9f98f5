package io.kvasir.sim;

import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.eviction.PrefixView;
import java.util.Arrays;
import java.util.function.IntSupplier;

/// Forgets the block whose next use is furthest away, blocks that are never used again first; of
/// equal ones the deepest. Needs the future, so it is a ceiling for other policies and no policy.
///
/// It is the rule of Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer",
/// IBM Systems Journal 5(2), 1966. For single blocks it is optimal; for prefixes, where a hit needs
/// all blocks before it, nobody has proven that.
///
/// A parent is used whenever its child is, so its next use is never later and the first in this
/// order is a leaf, unless requests overlap.
final class ClairvoyantPolicy implements EvictionPolicy {
  private static final int ABSENT = -1;

  private final PrefixView tree;
  private final NextUse future;
  private final IntSupplier currentRequest;

  // A binary heap of the idle nodes, the next victim first, and where each node stands in it.
  private int[] heap = new int[64];
  private int size;
  private int[] place = new int[0];
  private int[] nextUse = new int[0];

  ClairvoyantPolicy(PrefixView tree, NextUse future, IntSupplier currentRequest) {
    this.tree = tree;
    this.future = future;
    this.currentRequest = currentRequest;
  }

  @Override
  public void onInsert(int node) {}

  @Override
  public void onHit(int node) {}

  @Override
  public void onAcquire(int node) {
    remove(node);
  }

  @Override
  public void onRelease(int node) {
    if (node >= place.length) {
      int known = place.length;
      place = Arrays.copyOf(place, Math.max(node + 1, 2 * known));
      nextUse = Arrays.copyOf(nextUse, place.length);
      Arrays.fill(place, known, place.length, ABSENT);
    }
    remove(node);
    nextUse[node] = future.after(tree.token(node, 0), currentRequest.getAsInt());
    if (size == heap.length) {
      heap = Arrays.copyOf(heap, 2 * size);
    }
    size++;
    siftUp(size - 1, node);
  }

  @Override
  public void onRemove(int node) {
    remove(node);
  }

  @Override
  public int victim() {
    if (size == 0) {
      return NONE;
    }
    if (tree.isEvictable(heap[0])) {
      return heap[0];
    }
    int best = NONE;
    for (int i = 0; i < size; i++) {
      if (tree.isEvictable(heap[i]) && (best == NONE || before(heap[i], best))) {
        best = heap[i];
      }
    }
    return best;
  }

  private boolean before(int a, int b) {
    if (nextUse[a] != nextUse[b]) {
      return nextUse[a] > nextUse[b];
    }
    if (tree.depth(a) != tree.depth(b)) {
      return tree.depth(a) > tree.depth(b);
    }
    return tree.token(a, 0) < tree.token(b, 0);
  }

  private void remove(int node) {
    if (node >= place.length || place[node] == ABSENT) {
      return;
    }
    int hole = place[node];
    place[node] = ABSENT;
    size--;
    int last = heap[size];
    if (hole == size) {
      return;
    }
    siftUp(hole, last);
    if (place[last] == hole) {
      siftDown(hole, last);
    }
  }

  private void siftUp(int from, int node) {
    int at = from;
    while (at > 0 && before(node, heap[at - 1 >> 1])) {
      put(at, heap[at - 1 >> 1]);
      at = at - 1 >> 1;
    }
    put(at, node);
  }

  private void siftDown(int from, int node) {
    int at = from;
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && before(heap[child + 1], heap[child])) {
        child++;
      }
      if (!before(heap[child], node)) {
        break;
      }
      put(at, heap[child]);
      at = child;
    }
    put(at, node);
  }

  private void put(int at, int node) {
    heap[at] = node;
    place[node] = at;
  }
}
