package io.kvasir.kvcache;

import java.util.Arrays;

/// Finds how much of a prefix the cache can serve in *all* layer groups at once.
///
/// A full or bounded group has all blocks that it keeps of any node. A window group serves a length
/// only where it still has the blocks that the next query sees, however much it has before them. So
/// the longest path through the tree is walked once, counting for each window group how many of its
/// blocks in a row end at each node, and the longest length that every group serves is kept (joint
/// hits over hybrid groups: vLLM's hybrid cache coordinator).
///
/// Scratch space of one [KvCache], reused by every call.
final class PrefixMatch {
  private static final int NONE = PrefixTree.NONE;

  private final KvLayout layout;
  private final PrefixCache cache;
  private final PrefixTree tree;
  private final int[] run;
  private int[] path = new int[64];
  private int pathLength;
  private int blocks;
  private int partial;
  private int partialTokens;
  private boolean keepsTail;
  private int tokens;

  PrefixMatch(KvLayout layout, PrefixCache cache) {
    this.layout = layout;
    this.cache = cache;
    this.tree = cache.tree();
    this.run = new int[layout.groups().size()];
  }

  /// Matches a sequence from its root. At most `limit` tokens match.
  void find(int root, int[] sequence, int limit) {
    start();
    int blockTokens = layout.blockTokens();
    int node = root;
    for (int from = 0; from + blockTokens <= limit; from += blockTokens) {
      int child = tree.child(node, sequence, from);
      if (child == NONE) {
        break;
      }
      step(child);
      node = child;
    }
    tokens = blocks * blockTokens;
    int from = pathLength * blockTokens;
    if (from < limit) {
      findPartial(node, sequence, from, limit - from);
    }
  }

  private void findPartial(int node, int[] sequence, int from, int most) {
    int child = tree.longestChild(node, sequence, from, Math.min(most, layout.blockTokens()));
    if (child != NONE) {
      int common = tree.commonTokens(child, sequence, from, most);
      if (hasAllBlocks(child) && allGroupsServe(from + common)) {
        partial = child;
        partialTokens = common;
        blocks = pathLength;
        tokens = from + common;
      }
    }
  }

  /// Matches the first `length` tokens of the sequence that ends at `tip`, `full` blocks long.
  void rewind(int tip, int full, int length) {
    start();
    int blockTokens = layout.blockTokens();
    int kept = length / blockTokens;
    boolean inside = length % blockTokens != 0 && kept < full;
    ensure(full);
    int node = tip;
    for (int index = full - 1; index >= 0; index--) {
      path[index] = node;
      node = tree.above(node);
    }
    int within = inside ? path[kept] : NONE;
    for (int index = 0; index < kept; index++) {
      step(path[index]);
    }
    tokens = blocks * blockTokens;
    if (!allGroupsServe(length)) {
      return;
    }
    keepsTail = kept == full && length % blockTokens != 0;
    blocks = keepsTail ? kept : blocks;
    tokens = keepsTail ? length : blocks * blockTokens;
    if (within != NONE && hasAllBlocks(within)) {
      partial = within;
      partialTokens = length % blockTokens;
      blocks = kept;
      tokens = length;
    }
  }

  private void start() {
    pathLength = 0;
    blocks = 0;
    partial = NONE;
    partialTokens = 0;
    keepsTail = false;
    tokens = 0;
    Arrays.fill(run, 0);
  }

  private void step(int node) {
    ensure(pathLength + 1);
    path[pathLength++] = node;
    if (cache.hasWindows()) {
      for (int group = 0; group < run.length; group++) {
        run[group] = tree.block(node, group) == NONE ? 0 : run[group] + 1;
      }
      if (!allGroupsServe(pathLength * layout.blockTokens())) {
        return;
      }
    }
    blocks = pathLength;
  }

  /// Whether each window group has the blocks that a query at `length` sees, of those walked.
  private boolean allGroupsServe(int length) {
    for (int group = 0; group < run.length; group++) {
      int first = layout.groups().get(group).firstVisible(length) / layout.blockTokens();
      if (run[group] < pathLength - first && cache.isWindow(group)) {
        return false;
      }
    }
    return true;
  }

  private boolean hasAllBlocks(int node) {
    int index = tree.depth(node);
    for (int group = 0; group < run.length; group++) {
      if (tree.block(node, group) == NONE && cache.keeps(group, index)) {
        return false;
      }
    }
    return true;
  }

  private void ensure(int length) {
    if (length > path.length) {
      path = Arrays.copyOf(path, Math.max(length, 2 * path.length));
    }
  }

  /// Full blocks that match in all groups.
  int blocks() {
    return blocks;
  }

  /// Tokens that match in all groups, those of [#partial] or of the kept tail included.
  int tokens() {
    return tokens;
  }

  /// The node of the matched block at `index`.
  int node(int index) {
    return path[index];
  }

  /// The node whose first tokens continue the matched blocks, or -1.
  int partial() {
    return partial;
  }

  /// Whether a rewind ends inside the sequence's last, partly filled block and may keep it.
  boolean keepsTail() {
    return keepsTail;
  }

  /// How many tokens of [#partial] match.
  int partialTokens() {
    return partialTokens;
  }
}
