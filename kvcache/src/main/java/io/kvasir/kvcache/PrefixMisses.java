package io.kvasir.kvcache;

/// Tells why a prompt was not found, for which it remembers what was forgotten lately and when: in
/// a table of hashes where a newer one takes an older one's place. Only good for telling, since two
/// prefixes may have one hash.
final class PrefixMisses {
  private static final int MOST = 1 << 16;

  private final PrefixTree tree;
  private final int blockTokens;
  private final long[] hashes;
  private final long[] nanos;
  private final int mask;

  PrefixMisses(PrefixTree tree, int blockTokens) {
    this.tree = tree;
    this.blockTokens = blockTokens;
    int room = Integer.highestOneBit(Math.clamp(4L * tree.capacity(), 64, MOST));
    hashes = new long[room];
    nanos = new long[room];
    mask = room - 1;
  }

  /// A node is about to leave the tree.
  void forgotten(int node) {
    long hash = tree.contentHash(node);
    hashes[slot(hash)] = hash;
    nanos[slot(hash)] = tree.nanoTime();
  }

  /// Why no more than `found` tokens of a prompt under `root` were found.
  PrefixMiss explain(int root, int[] prompt, int found) {
    int most = prompt.length - 1;
    if (most - found < blockTokens) {
      boolean isShort = found == 0 && prompt.length < blockTokens;
      return isShort ? new PrefixMiss(PrefixMiss.Reason.SHORT, 0) : PrefixMiss.NONE;
    }
    int node = root;
    int from = 0;
    while (from + blockTokens <= most) {
      int child = tree.child(node, prompt, from);
      if (child == PrefixTree.NONE) {
        break;
      }
      node = child;
      from += blockTokens;
    }
    // What is in the tree beyond what was found could not be used.
    return from > found
        ? new PrefixMiss(PrefixMiss.Reason.GROUP, 0)
        : explainAbsent(node, prompt, from);
  }

  private PrefixMiss explainAbsent(int node, int[] prompt, int from) {
    long hash = tree.hashOfChild(node, prompt, from);
    if (hash != 0 && hashes[slot(hash)] == hash) {
      long ago = Math.max(0, tree.nanoTime() - nanos[slot(hash)]);
      return new PrefixMiss(PrefixMiss.Reason.EVICTED, ago);
    }
    boolean elsewhere = from == 0 && tree.isBelowAnotherRoot(node, prompt);
    return new PrefixMiss(elsewhere ? PrefixMiss.Reason.SALT : PrefixMiss.Reason.NEW, 0);
  }

  private int slot(long hash) {
    return (int) (hash ^ hash >>> 32) & mask;
  }
}
