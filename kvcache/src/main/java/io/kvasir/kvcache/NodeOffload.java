package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.PrefixKeys;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Sends the blocks of idle nodes to the tiers below.
///
/// Where a tier outlives the process, a node that becomes idle joins a queue and is stored as
/// staging slots allow, so that little is lost when the process dies and evicting it later costs
/// nothing. A node that leaves the device unstored gets a last chance there and then. Owned by one
/// [PrefixCache].
final class NodeOffload {
  private static final int NONE = PrefixTree.NONE;

  private final PrefixTree tree;
  private final PrefixCache cache;
  private final Offloader offloader;
  private final PrefixKeys derivation;
  private final int blockTokens;
  private final int[] tokens;
  private final Map<String, BlockKey> rootKeys = new HashMap<>();
  private final Deque<Integer> queue = new ArrayDeque<>();
  private @Nullable BlockKey[] keys = new BlockKey[16];
  private boolean[] queued = new boolean[16];
  private boolean[] stored = new boolean[16];

  NodeOffload(PrefixTree tree, PrefixCache cache, Offloader offloader, int blockTokens) {
    this.tree = tree;
    this.cache = cache;
    this.offloader = offloader;
    this.derivation = new PrefixKeys(offloader.fingerprint());
    this.blockTokens = blockTokens;
    this.tokens = new int[blockTokens];
  }

  Offloader offloader() {
    return offloader;
  }

  /// The key of the prefix that ends with the node.
  BlockKey key(int node) {
    if (tree.isRoot(node)) {
      return rootKey(tree.saltOf(node));
    }
    ensure(node);
    BlockKey known = keys[node];
    if (known == null) {
      BlockKey past = key(tree.above(node));
      tree.tokens(node, tokens, 0);
      known = derivation.next(past, tokens, 0, blockTokens);
      keys[node] = known;
    }
    return known;
  }

  private BlockKey rootKey(@Nullable String salt) {
    if (salt == null) {
      throw new IllegalStateException("a private sequence has no keys");
    }
    if (rootKeys.size() > 1000) {
      rootKeys.clear();
    }
    return rootKeys.computeIfAbsent(salt, derivation::root);
  }

  /// The key of a prefix one block longer than `past`.
  BlockKey next(BlockKey past, int[] sequence, int from) {
    return derivation.next(past, sequence, from, blockTokens);
  }

  /// A node joined the tree. Its key is derived from its parent's, so no chain gets long.
  void inserted(int node) {
    ensure(node);
    keys[node] = null;
    queued[node] = false;
    stored[node] = false;
    key(node);
  }

  /// A node became idle.
  void idle(int node) {
    if (offloader.isPersistent() && !stored[node] && !queued[node]) {
      queued[node] = true;
      queue.add(node);
    }
  }

  /// A node leaves the tree with its blocks still in place.
  void leaving(int node) {
    store(node, stored[node] ? Offloader.Reach.PASSING : Offloader.Reach.ALL);
    queued[node] = false;
  }

  /// Stores what staging slots allow of the queue.
  ///
  /// @return whether all of it is stored
  boolean advance() {
    while (!queue.isEmpty()) {
      int node = queue.peek();
      if (queued[node] && tree.isIndexed(node) && !store(node, Offloader.Reach.PERSISTENT)) {
        return false;
      }
      queue.remove();
      queued[node] = false;
    }
    return true;
  }

  private boolean store(int node, Offloader.Reach reach) {
    boolean whole = true;
    int index = tree.depth(node);
    for (int group = 0; group < cache.groups(); group++) {
      int block = tree.block(node, group);
      boolean loose = block != NONE && cache.isWindow(group) && cache.windows().isLoose(block);
      whole &= block != NONE && !loose || !cache.keeps(group, index);
      if (block != NONE && !loose) {
        if (!offloader.store(PrefixKeys.inGroup(key(node), group), block, reach)) {
          return false;
        }
      }
    }
    // Of a window group more may come to stay here later.
    stored[node] = whole;
    return true;
  }

  private void ensure(int node) {
    if (node >= keys.length) {
      int room = Math.max(node + 1, 2 * keys.length);
      keys = Arrays.copyOf(keys, room);
      queued = Arrays.copyOf(queued, room);
      stored = Arrays.copyOf(stored, room);
    }
  }
}
