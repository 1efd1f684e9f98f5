package io.kvasir.model.tokenizer;

import java.util.Arrays;

/// A binary min-heap of (priority, position) pairs, each packed into one long; equal priorities
/// come out from left to right.
final class MergeQueue {
  private long[] heap;
  private int size;

  MergeQueue(int capacity) {
    this.heap = new long[Math.max(capacity, 4)];
  }

  boolean isEmpty() {
    return size == 0;
  }

  /// @param priority smaller comes first, as a signed number
  void add(int priority, int position) {
    if (size == heap.length) {
      heap = Arrays.copyOf(heap, 2 * size);
    }
    long entry = (long) priority << 32 | position;
    int i = size++;
    while (i > 0) {
      int parent = i - 1 >>> 1;
      if (heap[parent] <= entry) {
        break;
      }
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  /// Takes the first entry: the priority in the upper half, the position in the lower.
  long poll() {
    long first = heap[0];
    long entry = heap[--size];
    int i = 0;
    while (true) {
      int child = 2 * i + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && heap[child + 1] < heap[child]) {
        child++;
      }
      if (entry <= heap[child]) {
        break;
      }
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = entry;
    return first;
  }
}
