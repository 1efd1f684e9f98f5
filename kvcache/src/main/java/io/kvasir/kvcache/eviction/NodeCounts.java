package io.kvasir.kvcache.eviction;

import java.util.Arrays;

/// A small count per node that stops at a limit.
final class NodeCounts {
  private final int limit;
  private byte[] counts;

  /// Counts from 0 to `limit`, at most 127, with room for nodes below `nodes`.
  NodeCounts(int nodes, int limit) {
    this.limit = limit;
    counts = new byte[nodes];
  }

  int get(int node) {
    return node < counts.length ? counts[node] : 0;
  }

  void clear(int node) {
    if (node < counts.length) {
      counts[node] = 0;
    }
  }

  void increment(int node) {
    if (node >= counts.length) {
      counts = Arrays.copyOf(counts, Math.max(node + 1, counts.length + (counts.length >> 1)));
    }
    if (counts[node] < limit) {
      counts[node]++;
    }
  }

  /// Takes one from a positive count.
  void decrement(int node) {
    counts[node]--;
  }
}
