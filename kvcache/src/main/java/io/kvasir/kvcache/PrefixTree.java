package io.kvasir.kvcache;

import io.kvasir.kvcache.eviction.PrefixView;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The full blocks of all sequences, live and cached, as a tree: a path from a root spells a
/// prefix.
///
/// A node stands for `S` tokens after a certain past and names the block of each layer group that
/// holds their keys and values, or [#NONE] where a window group has let go of it. Each salt has a
/// root of its own, so prefixes of different tenants never meet. Nodes below [#PRIVATE] belong to
/// sequences that do not share by content: they are found by nobody and vanish with their sequence.
///
/// **Pins.** `pins[n]` counts the tables (and explicit pins) that end at `n` plus the children of
/// `n` that are pinned themselves. So a pinned node has a pinned parent by construction, and
/// forking or ending a sequence touches one counter where its past is shared (the idea of locking a
/// path at its end is RadixAttention's, Zheng et al., 2024).
///
/// **Finding.** Children form a list with the newest first, which is tried first; behind it a hash
/// index over (parent, tokens). Either way tokens are compared.
///
/// All state lives in parallel arrays indexed by node number, so a walk follows ints and nothing is
/// allocated for a node. Owned by one [KvCache].
final class PrefixTree implements PrefixView {
  static final int NONE = -1;

  /// The root of sequences that are not shared by content.
  static final int PRIVATE = 0;

  /// Most children that are looked at for a partial match.
  private static final int PARTIAL_CANDIDATES = 64;

  /// Most salts that are looked at to tell why a prompt was not found.
  private static final int ROOT_CANDIDATES = 64;

  private static final byte FREE = 0;
  private static final byte ROOT = 1;
  private static final byte HIDDEN = 2;
  private static final byte INDEXED = 3;

  private final int blockTokens;
  private final int groups;
  private final int capacity;
  private final BlockHasher hasher;
  private final LongSupplier clock;
  private final Map<String, Integer> roots = new HashMap<>();

  private byte[] kind;
  private int[] parent;
  private int[] firstChild;
  private int[] nextSibling;
  private int[] previousSibling;
  private int[] childCount;
  private int[] depth;
  private int[] pins;
  private int[] hits;
  private long[] hash;
  private long[] lastUse;
  private int[] tokens;
  private int[] blocks;
  private @Nullable String[] salt;
  private int[] nextInBucket;
  private int[] bucket;

  private int freeNode = NONE;
  private int endNode;
  private int nodeCount;

  /// @param capacity nodes expected at most; more are possible and make the arrays grow
  PrefixTree(int blockTokens, int groups, int capacity, BlockHasher hasher, LongSupplier clock) {
    this.blockTokens = blockTokens;
    this.groups = groups;
    this.capacity = capacity;
    this.hasher = hasher;
    this.clock = clock;
    int room = 16;
    kind = new byte[room];
    parent = new int[room];
    firstChild = new int[room];
    nextSibling = new int[room];
    previousSibling = new int[room];
    childCount = new int[room];
    depth = new int[room];
    pins = new int[room];
    hits = new int[room];
    hash = new long[room];
    lastUse = new long[room];
    tokens = new int[room * blockTokens];
    blocks = new int[room * groups];
    salt = new String[room];
    nextInBucket = new int[room];
    bucket = new int[room];
    Arrays.fill(bucket, NONE);
    newRoot(null);
  }

  /// The root of a salt, made where it does not exist. It stays as long as it has children or pins.
  int root(String name) {
    Integer known = roots.get(name);
    if (known != null) {
      return known;
    }
    int root = newRoot(name);
    roots.put(name, root);
    return root;
  }

  private int newRoot(@Nullable String name) {
    int root = take(ROOT, NONE);
    salt[root] = name;
    long seed = 0x6b7661736972L;
    for (int i = 0; name != null && i < name.length(); i++) {
      seed = (seed ^ name.charAt(i)) * 0x9e3779b97f4a7c15L;
      seed ^= seed >>> 29;
    }
    hash[root] = seed;
    return root;
  }

  /// The child of `node` that holds `sequence[from .. from + S - 1]`, or [#NONE].
  int child(int node, int[] sequence, int from) {
    int newest = firstChild[node];
    if (newest == NONE) {
      return NONE;
    }
    if (kind[newest] == INDEXED && holds(newest, sequence, from)) {
      return newest;
    }
    long key = hasher.hash(hash[node], sequence, from, blockTokens);
    for (int at = bucket[slot(key)]; at != NONE; at = nextInBucket[at]) {
      if (hash[at] == key && parent[at] == node && holds(at, sequence, from)) {
        return at;
      }
    }
    return NONE;
  }

  /// What [#contentHash] of a child of `node` with these tokens is or would be.
  long hashOfChild(int node, int[] sequence, int from) {
    return hasher.hash(hash[node], sequence, from, blockTokens);
  }

  /// Whether one of the first other salts knows the first block of the sequence.
  boolean isBelowAnotherRoot(int root, int[] sequence) {
    int looked = 0;
    for (int other : roots.values()) {
      if (other != root && child(other, sequence, 0) != NONE) {
        return true;
      }
      if (++looked == ROOT_CANDIDATES) {
        return false;
      }
    }
    return false;
  }

  private boolean holds(int node, int[] sequence, int from) {
    int at = node * blockTokens;
    return Arrays.equals(tokens, at, at + blockTokens, sequence, from, from + blockTokens);
  }

  /// Of the newest children of `node` the one that shares most first tokens with `sequence` from
  /// `from` on; [#NONE] where none shares any.
  int longestChild(int node, int[] sequence, int from, int most) {
    int best = NONE;
    int bestLength = 0;
    int looked = 0;
    for (int at = firstChild[node];
        at != NONE && looked < PARTIAL_CANDIDATES && bestLength < most;
        at = nextSibling[at], looked++) {
      int length = kind[at] == INDEXED ? commonTokens(at, sequence, from, most) : 0;
      if (length > bestLength) {
        best = at;
        bestLength = length;
      }
    }
    return best;
  }

  /// How many of the first `most` tokens of the node's block equal `sequence` from `from` on.
  int commonTokens(int node, int[] sequence, int from, int most) {
    int length = Math.min(most, blockTokens);
    int at = node * blockTokens;
    int differing = Arrays.mismatch(tokens, at, at + length, sequence, from, from + length);
    return differing < 0 ? length : differing;
  }

  /// Adds a child to `node` without blocks or pins.
  ///
  /// @param sequence holds the block's tokens from `from` on; unused where the node is hidden
  /// @return its number; it is hidden where `node` is
  int insert(int node, int[] sequence, int from, boolean hide) {
    boolean hidden = hide || isHidden(node);
    int added = take(hidden ? HIDDEN : INDEXED, node);
    depth[added] = depth[node] + 1;
    int newest = firstChild[node];
    nextSibling[added] = newest;
    if (newest != NONE) {
      previousSibling[newest] = added;
    }
    firstChild[node] = added;
    childCount[node]++;
    if (!hidden) {
      System.arraycopy(sequence, from, tokens, added * blockTokens, blockTokens);
      hash[added] = hasher.hash(hash[node], sequence, from, blockTokens);
      index(added);
    }
    return added;
  }

  /// Removes a node without children or pins.
  void remove(int node) {
    if (childCount[node] != 0 || pins[node] != 0) {
      throw new IllegalStateException(
          "node %d has %d children and %d pins".formatted(node, childCount[node], pins[node]));
    }
    if (kind[node] == INDEXED) {
      unindex(node);
    }
    int before = previousSibling[node];
    int after = nextSibling[node];
    if (before == NONE) {
      firstChild[parent[node]] = after;
    } else {
      nextSibling[before] = after;
    }
    if (after != NONE) {
      previousSibling[after] = before;
    }
    int above = parent[node];
    childCount[above]--;
    give(node);
    dropIdleRoot(above);
  }

  /// Makes a node findable by nobody; its subtree should be hidden as well.
  void hide(int node) {
    if (kind[node] == INDEXED) {
      unindex(node);
      kind[node] = HIDDEN;
    } else if (kind[node] == ROOT && salt[node] != null) {
      roots.remove(salt[node]);
      salt[node] = null;
    }
  }

  /// Counts one more holder. @return whether the node had none before
  boolean retain(int node) {
    return pins[node]++ == 0;
  }

  /// Counts one holder less. @return whether it was the last
  boolean drop(int node) {
    if (pins[node] <= 0) {
      throw new IllegalStateException("node " + node + " is dropped without a pin");
    }
    boolean last = --pins[node] == 0;
    if (last && kind[node] == ROOT) {
      dropIdleRoot(node);
    }
    return last;
  }

  private void dropIdleRoot(int node) {
    if (node != PRIVATE && kind[node] == ROOT && childCount[node] == 0 && pins[node] == 0) {
      if (salt[node] != null) {
        roots.remove(salt[node]);
      }
      give(node);
    }
  }

  boolean isRoot(int node) {
    return kind[node] == ROOT;
  }

  boolean isLive(int node) {
    return node < endNode && kind[node] != FREE;
  }

  boolean isIndexed(int node) {
    return kind[node] == INDEXED;
  }

  /// Whether what is added below the node is found by nobody.
  boolean isHidden(int node) {
    return kind[node] == HIDDEN || kind[node] == ROOT && salt[node] == null;
  }

  int pins(int node) {
    return pins[node];
  }

  /// How often a lookup found the node.
  int hits(int node) {
    return hits[node];
  }

  void countHit(int node) {
    hits[node]++;
  }

  /// Like [#parent] but with roots.
  int above(int node) {
    return parent[node];
  }

  /// The root of the node's salt.
  int rootOf(int node) {
    int at = node;
    while (kind[at] != ROOT) {
      at = parent[at];
    }
    return at;
  }

  @Override
  public String salt(int node) {
    String name = salt[rootOf(node)];
    return name == null ? "" : name;
  }

  /// The roots that lookups begin at.
  Collection<Integer> namedRoots() {
    return roots.values();
  }

  /// The salt of a root; null for [#PRIVATE] and for one that was reset.
  @Nullable String saltOf(int root) {
    return salt[root];
  }

  int firstChild(int node) {
    return firstChild[node];
  }

  int nextSibling(int node) {
    return nextSibling[node];
  }

  int block(int node, int group) {
    return blocks[node * groups + group];
  }

  void setBlock(int node, int group, int block) {
    blocks[node * groups + group] = block;
  }

  long lastUse(int node) {
    return lastUse[node];
  }

  void setLastUse(int node, long time) {
    lastUse[node] = time;
  }

  int blockTokens() {
    return blockTokens;
  }

  /// One past the largest node number in use.
  int endNode() {
    return endNode;
  }

  int nodeCount() {
    return nodeCount;
  }

  /// Copies the node's tokens.
  void tokens(int node, int[] into, int at) {
    System.arraycopy(tokens, node * blockTokens, into, at, blockTokens);
  }

  /// Whether the hash index finds exactly this node for its tokens.
  boolean isFoundByItself(int node) {
    int[] own = new int[blockTokens];
    tokens(node, own, 0);
    long key = hasher.hash(hash[parent[node]], own, 0, blockTokens);
    int found = NONE;
    int steps = 0;
    for (int at = bucket[slot(key)]; at != NONE; at = nextInBucket[at]) {
      if (steps++ > endNode) {
        return false; // A broken chain must not hang the audit.
      }
      if (hash[at] == key && parent[at] == parent[node] && holds(at, own, 0)) {
        found = found == NONE ? at : -2;
      }
    }
    return found == node;
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public int parent(int node) {
    return isRoot(parent[node]) ? NONE : parent[node];
  }

  @Override
  public int depth(int node) {
    return depth[node];
  }

  @Override
  public int childCount(int node) {
    return childCount[node];
  }

  @Override
  public boolean isIdle(int node) {
    return pins[node] == 0;
  }

  @Override
  public long contentHash(int node) {
    return hash[node];
  }

  @Override
  public int token(int node, int index) {
    return tokens[node * blockTokens + index];
  }

  @Override
  public long nanoTime() {
    return clock.getAsLong();
  }

  private int slot(long key) {
    return (int) key & bucket.length - 1;
  }

  private void index(int node) {
    int slot = slot(hash[node]);
    nextInBucket[node] = bucket[slot];
    bucket[slot] = node;
  }

  private void unindex(int node) {
    int slot = slot(hash[node]);
    int before = NONE;
    int at = bucket[slot];
    while (at != node) {
      before = at;
      at = nextInBucket[at];
    }
    if (before == NONE) {
      bucket[slot] = nextInBucket[node];
    } else {
      nextInBucket[before] = nextInBucket[node];
    }
  }

  private int take(byte as, int below) {
    int node = freeNode;
    if (node == NONE) {
      if (endNode == kind.length) {
        grow();
      }
      node = endNode++;
    } else {
      freeNode = nextSibling[node];
    }
    nodeCount++;
    kind[node] = as;
    parent[node] = below;
    firstChild[node] = NONE;
    nextSibling[node] = NONE;
    previousSibling[node] = NONE;
    childCount[node] = 0;
    depth[node] = -1;
    pins[node] = 0;
    hits[node] = 0;
    Arrays.fill(blocks, node * groups, (node + 1) * groups, NONE);
    return node;
  }

  private void give(int node) {
    kind[node] = FREE;
    salt[node] = null;
    nextSibling[node] = freeNode;
    freeNode = node;
    nodeCount--;
  }

  private void grow() {
    int room = Math.multiplyExact(kind.length, 2);
    kind = Arrays.copyOf(kind, room);
    parent = Arrays.copyOf(parent, room);
    firstChild = Arrays.copyOf(firstChild, room);
    nextSibling = Arrays.copyOf(nextSibling, room);
    previousSibling = Arrays.copyOf(previousSibling, room);
    childCount = Arrays.copyOf(childCount, room);
    depth = Arrays.copyOf(depth, room);
    pins = Arrays.copyOf(pins, room);
    hits = Arrays.copyOf(hits, room);
    hash = Arrays.copyOf(hash, room);
    lastUse = Arrays.copyOf(lastUse, room);
    tokens = Arrays.copyOf(tokens, Math.multiplyExact(room, blockTokens));
    blocks = Arrays.copyOf(blocks, Math.multiplyExact(room, groups));
    salt = Arrays.copyOf(salt, room);
    nextInBucket = Arrays.copyOf(nextInBucket, room);
    bucket = new int[room];
    Arrays.fill(bucket, NONE);
    for (int node = 0; node < endNode; node++) {
      if (kind[node] == INDEXED) {
        index(node);
      }
    }
  }
}
