package io.kvasir.kvcache;

import java.util.Arrays;

/// Who holds the blocks of sliding-window groups, and which of them are *loose*.
///
/// In a window group a sequence holds only the last few blocks of its prefix, so these are counted
/// one by one. A block that no table holds while its node is in use has fallen behind every window:
/// it can serve only a prompt that branches off right there, and is called loose. Loose blocks form
/// a list, the one that fell behind first at its head; those of groups of which a full block is
/// never needed again ([LayerGroup#endsWithBlocks]) form one that goes before it. Owned by one
/// [PrefixCache].
final class WindowBlocks {
  private static final int NONE = PrefixTree.NONE;

  private final int[] holders;
  private final int[] node;
  private final int[] group;
  private final int[] next;
  private final int[] previous;
  private final boolean[] loose;
  private final long[] looseSince;
  private final boolean[] goesFirst;
  private final int[] head = {NONE, NONE};
  private final int[] tail = {NONE, NONE};
  private int looseCount;

  /// @param blockCount ids of the pool; 0 where the layout has no window group
  /// @param goesFirst by group: whether its loose blocks go before all others
  WindowBlocks(int blockCount, boolean[] goesFirst) {
    this.goesFirst = goesFirst;
    holders = new int[blockCount];
    node = new int[blockCount];
    group = new int[blockCount];
    next = new int[blockCount];
    previous = new int[blockCount];
    loose = new boolean[blockCount];
    looseSince = new long[blockCount];
    Arrays.fill(node, NONE);
  }

  /// The block now stands in a node, held by the table that computed it.
  void adopt(int block, int ofNode, int ofGroup) {
    node[block] = ofNode;
    group[block] = ofGroup;
    holders[block] = 1;
  }

  /// One more table holds the block.
  void hold(int block) {
    holders[block]++;
    tighten(block);
  }

  /// One table less holds the block. @return whether it was the last
  boolean drop(int block) {
    if (holders[block] <= 0) {
      throw new IllegalStateException("I2: block " + block + " is dropped without a holder");
    }
    return --holders[block] == 0;
  }

  private int list(int block) {
    return goesFirst[group[block]] ? 0 : 1;
  }

  /// Puts a block without holders at the end of its loose list.
  void loosen(int block, long time) {
    if (loose[block]) {
      return;
    }
    loose[block] = true;
    int list = list(block);
    looseSince[block] = list == 0 ? 0 : time;
    previous[block] = tail[list];
    next[block] = NONE;
    if (tail[list] == NONE) {
      head[list] = block;
    } else {
      next[tail[list]] = block;
    }
    tail[list] = block;
    looseCount++;
  }

  private void tighten(int block) {
    if (!loose[block]) {
      return;
    }
    loose[block] = false;
    int list = list(block);
    if (previous[block] == NONE) {
      head[list] = next[block];
    } else {
      next[previous[block]] = next[block];
    }
    if (next[block] == NONE) {
      tail[list] = previous[block];
    } else {
      previous[next[block]] = previous[block];
    }
    looseCount--;
  }

  /// The block leaves its node.
  void forget(int block) {
    tighten(block);
    node[block] = NONE;
  }

  /// The loose block that goes first, or -1.
  int oldestLoose() {
    return head[0] != NONE ? head[0] : head[1];
  }

  int looseCount() {
    return looseCount;
  }

  boolean isLoose(int block) {
    return loose[block];
  }

  /// When it became loose; 0 where it goes before all others.
  long looseSince(int block) {
    return looseSince[block];
  }

  int holders(int block) {
    return holders[block];
  }

  int nodeOf(int block) {
    return node[block];
  }

  int groupOf(int block) {
    return group[block];
  }
}
