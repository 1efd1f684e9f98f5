package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.format.ExactRows;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What decoding rows of a batch hold in the same blocks, so that it is read once for all of them;
/// see `attention_shared.cuh` (cascade attention: Hydragen, Juravsky et al., arXiv 2402.05099).
///
/// Sequences that begin alike stand beside each other. What neighbours share is a forest: a node is
/// a run of rows and the positions that all of them share behind those of its parent. Its positions
/// are cut into runs and its rows into items of as many as a block of threads takes. Only the first
/// layer group that keeps all positions is looked at, and only what each row reads from codes.
///
/// Finding costs a comparison of block ids for each pair of neighbours; arrays are reused.
final class SharedRuns {
  /// Numbers of an item on the device, see `SharedItem`.
  static final int ITEM_INTS = 8;

  /// Readings that must be saved, in positions added up over rows: fewer do not pay for one more
  /// kernel and for merging. On an H100, 8 rows with 1024 shared positions take 1.3 to 1.6 times as
  /// long together as apart, 32 rows take 0.9 to 1 times, and 8 rows with 8192 take 0.7 to 0.9.
  static final long LEAST_READS = 32_768;

  /// Fewer rows gain nothing over reading apart.
  private static final int LEAST_ROWS = 8;

  /// Positions of a node at least.
  private static final int LEAST_TOKENS = 256;

  /// Columns of products that a block of threads has, one for each row and query head.
  private static final int COLUMNS = 64;

  /// Lengths of runs that are tried.
  private static final int[] RUN_TOKENS = {256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192};

  /// What a run costs besides its positions, as so many of them: beginning, partial results.
  private static final int RUN_COST = 96;

  private static final int NODE_INTS = 5;

  private final int blocksAtOnce;
  private @Nullable KvLayout layout;
  private int group = -1;
  private int kvHeads;
  private int mostSinks;
  private ExactRows tail = ExactRows.NONE;
  private int groupSize;
  private volatile long leastReads = LEAST_READS;

  private int rowsOfItem = 1;
  private int nodes;
  private long reads;
  private int[] node = new int[8 * NODE_INTS];
  private int[] common = new int[16];
  private int[] sharedTo = new int[16];
  private int[] runs = new int[16];
  private int rows;
  private int runTokens = 1;
  private int itemCount;
  private int slots;

  /// @param multiprocessors of the device
  SharedRuns(int multiprocessors) {
    blocksAtOnce = 2 * multiprocessors;
  }

  /// Tells how many query heads read a key head, without which nothing is shared; the first number
  /// stays. 0 for never: a kernel that it takes is not there.
  void allow(int headsOfKvHead) {
    if (headsOfKvHead == 0) {
      groupSize = -1;
    } else if (groupSize == 0) {
      groupSize = headsOfKvHead;
    }
  }

  /// Sets how many readings of positions must be saved, [Long#MAX_VALUE] for never.
  void shareFrom(long value) {
    leastReads = value;
  }

  /// Finds what the rows of a batch share.
  void find(AttentionMetadata batch) {
    nodes = 0;
    reads = 0;
    itemCount = 0;
    slots = 0;
    rows = batch.rows();
    if (layout != batch.layout()) {
      look(batch.layout());
    }
    int count = batch.sequences();
    long least = leastReads;
    if (least == Long.MAX_VALUE || groupSize <= 0 || group < 0 || count < LEAST_ROWS) {
      return;
    }
    compare(batch);
    share(batch, 0, count, 0);
    if (reads < least) {
      nodes = 0;
    }
    if (nodes > 0) {
      rowsOfItem = Math.max(1, COLUMNS / groupSize);
      cut();
    }
  }

  private void look(KvLayout next) {
    layout = next;
    group = -1;
    for (LayerGroup each : next.groups()) {
      if (each.isFull() && each.role() == LayerGroup.Role.CODES && group < 0) {
        group = each.index();
        mostSinks = 0;
        int mostTail = -1;
        for (int layer : each.layers()) {
          ExactRows exact = next.kv(layer).exact();
          mostSinks = Math.max(mostSinks, exact.sinks());
          mostTail = Math.max(mostTail, exact.tail());
          kvHeads = next.kv(layer).kvHeads();
        }
        tail = new ExactRows(0, mostTail);
      }
    }
  }

  /// `common[s]`: blocks that sequence `s` reads from codes and shares with the one before.
  private void compare(AttentionMetadata batch) {
    int count = batch.sequences();
    if (common.length < count) {
      common = new int[2 * count];
    }
    int before = 0;
    for (int s = 0; s < count; s++) {
      int most = readable(batch, s);
      int both = Math.min(before, most);
      common[s] =
          both == 0 ? 0 : Math.min(both, batch.table(s - 1).sharedBlocks(group, batch.table(s)));
      before = most;
    }
  }

  /// Whole blocks that a sequence reads from codes before its own row, if it is to be compared.
  private int readable(AttentionMetadata batch, int sequence) {
    if (batch.rowCount(sequence) != 1
        || batch.table(sequence).pruned() != null
        || batch.skips(sequence) != null) {
      return 0;
    }
    int position = batch.positions()[batch.firstRow(sequence)];
    int from = Math.min(position, tail.exactFrom(position));
    return from / batch.layout().blockTokens();
  }

  /// Finds what sequences share from block `from` on, up to which they share everything.
  private void share(AttentionMetadata batch, int first, int end, int from) {
    int least = from + Math.max(1, LEAST_TOKENS / batch.layout().blockTokens());
    int at = first;
    while (at < end) {
      int next = at + 1;
      int to = Integer.MAX_VALUE;
      while (next < end && common[next] >= least) {
        to = Math.min(to, common[next]);
        next++;
      }
      if (next - at >= LEAST_ROWS) {
        add(batch, at, next, from, to);
        share(batch, at, next, to);
      }
      at = next;
    }
  }

  private void add(AttentionMetadata batch, int first, int end, int from, int to) {
    if (node.length < (nodes + 1) * NODE_INTS) {
      node = Arrays.copyOf(node, 2 * node.length);
    }
    int at = nodes++ * NODE_INTS;
    int tokens = batch.layout().blockTokens();
    node[at] = batch.firstRow(first);
    node[at + 1] = end - first;
    node[at + 2] = from * tokens;
    node[at + 3] = to * tokens;
    node[at + 4] = first;
    reads += (long) (end - first) * (to - from) * tokens;
  }

  /// Chooses the length of runs, that the blocks of threads of the device end together, and counts.
  private void cut() {
    if (sharedTo.length < rows) {
      sharedTo = new int[2 * rows];
      runs = new int[2 * rows];
    }
    Arrays.fill(sharedTo, 0, rows, 0);
    Arrays.fill(runs, 0, rows, 0);
    int best = RUN_TOKENS[0];
    long least = Long.MAX_VALUE;
    for (int tokens : RUN_TOKENS) {
      long blocks = (long) kvHeads * items(tokens);
      long cost = (blocks + blocksAtOnce - 1) / blocksAtOnce * (tokens + RUN_COST);
      if (cost < least) {
        least = cost;
        best = tokens;
      }
    }
    itemCount = items(best);
    runTokens = best;
    for (int n = 0; n < nodes; n++) {
      int at = n * NODE_INTS;
      int count = (node[at + 3] - node[at + 2] + best - 1) / best;
      Arrays.fill(sharedTo, node[at], node[at] + node[at + 1], node[at + 3]);
      for (int row = node[at]; row < node[at] + node[at + 1]; row++) {
        runs[row] += count;
      }
      slots += count * node[at + 1];
    }
  }

  private int items(int tokens) {
    int sum = 0;
    for (int n = 0; n < nodes; n++) {
      int at = n * NODE_INTS;
      int parts = (node[at + 1] + rowsOfItem - 1) / rowsOfItem;
      sum += parts * ((node[at + 3] - node[at + 2] + tokens - 1) / tokens);
    }
    return sum;
  }

  /// Items, 0 where nothing is shared.
  int items() {
    return itemCount;
  }

  /// Slots of partial results that all rows need for what they share.
  int slots() {
    return slots;
  }

  /// The layer group whose rows are shared.
  int group() {
    return group;
  }

  /// Rows of an item at most.
  int rowsOfItem() {
    return rowsOfItem;
  }

  /// Positions from the first on that a row need not read for itself. Exact first ones are its own.
  int skipped(int row) {
    return itemCount == 0 ? 0 : Math.max(0, sharedTo[row] - mostSinks);
  }

  /// Writes `sharedTo [padded], runs [padded], count, items`; rows behind those of the batch share
  /// nothing.
  ///
  /// @param starts where the places of position 0's blocks of sequences stand in `into`
  void write(int[] into, int at, int padded, int starts) {
    Arrays.fill(into, at, at + 2 * padded, 0);
    System.arraycopy(sharedTo, 0, into, at, rows);
    System.arraycopy(runs, 0, into, at + padded, rows);
    int to = at + 2 * padded;
    into[to++] = itemCount;
    // The runs of a row follow each other from its first node to its last.
    Arrays.fill(runs, 0, rows, 0);
    for (int n = 0; n < nodes; n++) {
      int of = n * NODE_INTS;
      int first = node[of];
      int end = first + node[of + 1];
      int shift = runs[first];
      for (int from = node[of + 2]; from < node[of + 3]; from += runTokens) {
        for (int row = first; row < end; row += rowsOfItem) {
          into[to] = row;
          into[to + 1] = Math.min(rowsOfItem, end - row);
          into[to + 2] = into[starts + node[of + 4]];
          into[to + 3] = from;
          into[to + 4] = Math.min(from + runTokens, node[of + 3]);
          into[to + 5] = shift;
          into[to + 6] = 0;
          into[to + 7] = 0;
          to += ITEM_INTS;
        }
        shift++;
      }
      Arrays.fill(runs, first, end, shift);
    }
  }

  /// Numbers that [#write] takes for so many rows and room for so many items.
  static int size(int padded, int items) {
    return items == 0 ? 0 : 2 * padded + 1 + ITEM_INTS * items;
  }
}
