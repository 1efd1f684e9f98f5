package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.format.ExactRows;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Which partitions of the positions several decoding sequences of a batch hold in the same blocks,
/// so that their keys and values are read once for all of them (cascade attention: Hydragen,
/// Juravsky et al., arXiv 2402.05099; multi-level in FlashInfer, Ye et al., 2025).
///
/// Sequences that begin alike stand beside each other in the batch. The plan is a forest over their
/// neighbourhoods: a node is a run of sequences and the partitions that all of them share behind
/// those of its parent; what a sequence shares with none is its own. The results of a sequence's
/// partitions are merged from the root to its own, in ascending order as without sharing, so they
/// have the same bits.
///
/// Only layer groups that keep all positions are shared; a window is short. Arrays are reused from
/// step to step; one instance per backend.
final class CascadePlan {
  private static final int NONE = -1;
  private static final int TOKENS = PartitionKernel.TOKENS;

  private @Nullable AttentionMetadata batch;
  private long step;
  private int group;
  private int blockTokens;
  private ExactRows exact = ExactRows.NONE;

  private int nodes;
  private int[] parent = new int[8];
  private int[] firstSequence = new int[8];
  private int[] endSequence = new int[8];
  private int[] fromPartition = new int[8];
  private int[] toPartition = new int[8];
  private int[] leaf = new int[8];
  private int[] ownFrom = new int[8];

  /// Plans the batch of a call; layers of a group that keep the same rows exactly have the same
  /// plan.
  void plan(AttentionCall call) {
    AttentionMetadata next = call.batch();
    if (next.equals(batch)
        && next.step() == step
        && call.group().index() == group
        && call.exact().equals(exact)) {
      return;
    }
    batch = next;
    step = next.step();
    group = call.group().index();
    blockTokens = call.layout().blockTokens();
    exact = call.exact();
    nodes = 0;
    int count = next.sequences();
    if (leaf.length < count) {
      leaf = new int[2 * count];
      ownFrom = new int[2 * count];
    }
    Arrays.fill(leaf, 0, count, NONE);
    Arrays.fill(ownFrom, 0, count, 0);
    if (call.group().isWindow()) {
      return;
    }
    int first = 0;
    while (first < count) {
      int end = first;
      while (end < count && next.rowCount(end) == 1) {
        end++;
      }
      if (end - first > 1) {
        share(first, end, 0, NONE);
      }
      first = end + 1;
    }
  }

  /// Finds what sequences share from a partition on, up to which they are in `above` together.
  private void share(int first, int end, int partition, int above) {
    int at = first;
    while (at < end) {
      int next = at + 1;
      while (next < end && isSame(at, next, partition)) {
        next++;
      }
      if (next - at == 1) {
        leaf[at] = above;
        ownFrom[at] = partition;
      } else {
        int to = partition + 1;
        while (areSame(at, next, to)) {
          to++;
        }
        int node = add(above, at, next);
        fromPartition[node] = partition;
        toPartition[node] = to;
        share(at, next, to, node);
      }
      at = next;
    }
  }

  private int add(int above, int first, int end) {
    if (nodes == parent.length) {
      parent = Arrays.copyOf(parent, 2 * nodes);
      firstSequence = Arrays.copyOf(firstSequence, 2 * nodes);
      endSequence = Arrays.copyOf(endSequence, 2 * nodes);
      fromPartition = Arrays.copyOf(fromPartition, 2 * nodes);
      toPartition = Arrays.copyOf(toPartition, 2 * nodes);
    }
    parent[nodes] = above;
    firstSequence[nodes] = first;
    endSequence[nodes] = end;
    return nodes++;
  }

  private boolean areSame(int first, int end, int partition) {
    for (int s = first + 1; s < end; s++) {
      if (!isSame(first, s, partition)) {
        return false;
      }
    }
    return true;
  }

  /// Whether two sequences hold all of a partition in the same blocks.
  private boolean isSame(int a, int b, int partition) {
    AttentionMetadata planned = Objects.requireNonNull(batch);
    BlockTable one = planned.table(a);
    BlockTable other = planned.table(b);
    int end = (partition + 1) * TOKENS;
    if (end > one.length() || end > other.length()) {
      return false;
    }
    if (one.pruned() != null || other.pruned() != null) {
      return false;
    }
    // Each chooses the pages that it reads.
    if (planned.skips(a) != null || planned.skips(b) != null) {
      return false;
    }
    // Exact rows are chosen by the position of the query, so those are each sequence's own.
    if (end > exact.exactFrom(one.length()) || end > exact.exactFrom(other.length())) {
      return false;
    }
    for (int i = partition * TOKENS / blockTokens; i <= (end - 1) / blockTokens; i++) {
      if (one.block(group, i) != other.block(group, i)) {
        return false;
      }
    }
    return true;
  }

  /// Runs of sequences that share something.
  int nodes() {
    return nodes;
  }

  /// The node that comes before in each result of its sequences, or -1.
  int parent(int node) {
    return parent[node];
  }

  int firstSequence(int node) {
    return firstSequence[node];
  }

  int sequences(int node) {
    return endSequence[node] - firstSequence[node];
  }

  int fromPartition(int node) {
    return fromPartition[node];
  }

  int toPartition(int node) {
    return toPartition[node];
  }

  /// The last node of a sequence, or -1.
  int leaf(int sequence) {
    return leaf[sequence];
  }

  /// The first partition that is the sequence's own.
  int ownFrom(int sequence) {
    return ownFrom[sequence];
  }
}
