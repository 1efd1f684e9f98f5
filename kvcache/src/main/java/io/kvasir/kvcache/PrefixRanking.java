package io.kvasir.kvcache;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Chooses the prefixes that a [CacheView] tells: from the roots downwards always the one with the
/// most hits next, and of equal ones the one with the most tokens below it.
final class PrefixRanking {
  private static final int NONE = PrefixTree.NONE;
  private static final int HEAD_TOKENS = 24;

  private final PrefixTree tree;
  private final int[] holders;
  private final int[] size;
  private final int[] block;

  /// Candidates in ascending order of their rank; never more than there is room for.
  private long[] ranks = new long[0];

  private Candidate[] candidates = new Candidate[0];
  private int count;

  /// @param parent place of the prefix before it, or -1
  private record Candidate(int node, int parent, int depth, @Nullable String salt) {}

  /// @param holders for each node the tables and pins that end at it or below
  /// @param size for each node how many are at it or below
  PrefixRanking(PrefixTree tree, int[] holders, int[] size) {
    this.tree = tree;
    this.holders = holders;
    this.size = size;
    this.block = new int[tree.blockTokens()];
  }

  List<CacheView.Prefix> top(CacheView.Limits limits) {
    List<CacheView.Prefix> chosen = new ArrayList<>();
    ranks = new long[limits.prefixes()];
    candidates = new Candidate[limits.prefixes()];
    for (int root : tree.namedRoots()) {
      offerChildren(root, new Candidate(root, -1, 0, tree.saltOf(root)), limits.prefixes());
    }
    while (count > 0) {
      Candidate best = candidates[--count];
      int room = limits.prefixes() - chosen.size() - 1;
      chosen.add(describe(best));
      int last = lastOf(best.node());
      trim(room);
      if (best.depth() < limits.depth()) {
        offerChildren(
            last, new Candidate(last, chosen.size() - 1, best.depth(), best.salt()), room);
      }
    }
    return chosen;
  }

  /// Only the best that there is room for can be chosen.
  private void trim(int room) {
    if (count > room) {
      System.arraycopy(ranks, count - room, ranks, 0, room);
      System.arraycopy(candidates, count - room, candidates, 0, room);
      count = room;
    }
  }

  private void offerChildren(int node, Candidate above, int room) {
    for (int child = tree.firstChild(node); child != NONE; child = tree.nextSibling(child)) {
      if (tree.isIndexed(child)) {
        offer(child, above, room);
      }
    }
  }

  private void offer(int node, Candidate above, int room) {
    long rank = (long) tree.hits(node) << 32 | size[node];
    if (room == 0 || count == room && rank <= ranks[0]) {
      return;
    }
    int at = Arrays.binarySearch(ranks, 0, count, rank);
    at = at < 0 ? -at - 1 : at;
    if (count == room) {
      // The least of them leaves.
      at--;
      System.arraycopy(ranks, 1, ranks, 0, at);
      System.arraycopy(candidates, 1, candidates, 0, at);
    } else {
      System.arraycopy(ranks, at, ranks, at + 1, count - at);
      System.arraycopy(candidates, at, candidates, at + 1, count - at);
      count++;
    }
    ranks[at] = rank;
    candidates[at] = new Candidate(node, above.parent(), above.depth() + 1, above.salt());
  }

  /// The last node before the next branch.
  private int lastOf(int node) {
    int at = node;
    while (tree.childCount(at) == 1) {
      int child = tree.firstChild(at);
      if (!tree.isIndexed(child)
          || tree.hits(child) != tree.hits(at)
          || (holders[child] != holders[at])) {
        break;
      }
      at = child;
    }
    return at;
  }

  private CacheView.Prefix describe(Candidate candidate) {
    int node = candidate.node();
    int last = lastOf(node);
    int blockTokens = tree.blockTokens();
    int blocks = tree.depth(last) - tree.depth(node) + 1;
    return new CacheView.Prefix(
        candidate.parent(),
        candidate.salt(),
        tree.depth(node) * blockTokens,
        blocks * blockTokens,
        (long) size[node] * blockTokens,
        tree.hits(node),
        holders[node],
        tree.childCount(last),
        head(node, last));
  }

  private int[] head(int node, int last) {
    int[] head = new int[HEAD_TOKENS];
    int length = 0;
    int at = node;
    while (length < HEAD_TOKENS) {
      tree.tokens(at, block, 0);
      int more = Math.min(HEAD_TOKENS - length, block.length);
      System.arraycopy(block, 0, head, length, more);
      length += more;
      if (at == last) {
        break;
      }
      at = tree.firstChild(at);
    }
    return Arrays.copyOf(head, length);
  }
}
