package io.kvasir.kvcache.eviction;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// A prefix tree of block numbers that reports to a policy as the cache does, without blocks.
///
/// Nodes are numbered from 0 and reused. Every rule of [EvictionPolicy] that a cache relies on is
/// checked as it goes: a victim must be an evictable node.
final class ReplayTree implements PrefixView {
  private final int capacity;
  private final EvictionPolicy policy;
  private final Map<Long, Integer> nodes = new HashMap<>();
  private int[] parent = new int[16];
  private int[] depth = new int[16];
  private int[] children = new int[16];
  private int[] users = new int[16];
  private long[] hash = new long[16];
  private int[] free = new int[16];
  private int freeCount;
  private int nodeLimit;
  private long nanos;

  ReplayTree(int capacity, EvictionPolicy.Factory factory) {
    this.capacity = capacity;
    policy = factory.create(this);
  }

  /// Uses the blocks, numbered so that a number stands for a block with all before it, and returns
  /// how many leading ones were cached. Each use ends with [#close].
  int open(long[] blocks) {
    int hits = 0;
    int previous = NO_PARENT;
    for (long block : blocks) {
      Integer node = nodes.get(block);
      if (node == null) {
        break;
      }
      policy.onHit(node);
      if (users[node]++ == 0) {
        policy.onAcquire(node);
      }
      previous = node;
      hits++;
    }
    for (int i = hits; i < blocks.length; i++) {
      int node = take();
      nodes.put(blocks[i], node);
      parent[node] = previous;
      depth[node] = i;
      children[node] = 0;
      users[node] = 1;
      hash[node] = blocks[i];
      if (previous != NO_PARENT) {
        children[previous]++;
      }
      policy.onInsert(node);
      previous = node;
    }
    return hits;
  }

  /// Ends a use.
  void close(long[] blocks) {
    for (int i = blocks.length - 1; i >= 0; i--) {
      int node = node(blocks[i]);
      if (--users[node] == 0) {
        policy.onRelease(node);
      }
    }
  }

  /// Lets victims go until at most the capacity remains or nothing is idle.
  void shrink() {
    while (nodes.size() > capacity) {
      int victim = policy.victim();
      if (victim == EvictionPolicy.NONE) {
        return;
      }
      remove(victim);
    }
  }

  /// Removes an evictable node.
  void remove(int node) {
    if (node < 0 || node >= nodeLimit || users[node] != 0 || children[node] != 0) {
      throw new AssertionError("node " + node + " is not evictable");
    }
    if (!nodes.remove(hash[node], node)) {
      throw new AssertionError("node " + node + " is not cached");
    }
    policy.onRemove(node);
    if (parent[node] != NO_PARENT) {
      children[parent[node]]--;
    }
    users[node] = -1;
    free[freeCount++] = node;
  }

  void advance(long nanoseconds) {
    nanos += nanoseconds;
  }

  int size() {
    return nodes.size();
  }

  EvictionPolicy policy() {
    return policy;
  }

  boolean isCached(long block) {
    return nodes.containsKey(block);
  }

  int node(long block) {
    Integer node = nodes.get(block);
    if (node == null) {
      throw new AssertionError("block " + block + " is not cached");
    }
    return node;
  }

  private int take() {
    if (freeCount > 0) {
      return free[--freeCount];
    }
    if (nodeLimit == parent.length) {
      int grown = nodeLimit * 2;
      parent = Arrays.copyOf(parent, grown);
      depth = Arrays.copyOf(depth, grown);
      children = Arrays.copyOf(children, grown);
      users = Arrays.copyOf(users, grown);
      hash = Arrays.copyOf(hash, grown);
      free = Arrays.copyOf(free, grown);
    }
    return nodeLimit++;
  }

  private static final int NO_PARENT = -1;

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public int parent(int node) {
    return parent[live(node)];
  }

  @Override
  public int depth(int node) {
    return depth[live(node)];
  }

  @Override
  public int childCount(int node) {
    return children[live(node)];
  }

  @Override
  public boolean isIdle(int node) {
    return users[live(node)] == 0;
  }

  @Override
  public String salt(int node) {
    return "";
  }

  @Override
  public long contentHash(int node) {
    long mixed = (hash[live(node)] + 1) * 0x9E3779B97F4A7C15L;
    return mixed ^ (mixed >>> 29);
  }

  @Override
  public int token(int node, int index) {
    return (int) hash[live(node)];
  }

  @Override
  public long nanoTime() {
    return nanos;
  }

  private int live(int node) {
    if (node < 0 || node >= nodeLimit || users[node] < 0) {
      throw new AssertionError("the policy asked for node " + node + ", which is not in the tree");
    }
    return node;
  }
}
