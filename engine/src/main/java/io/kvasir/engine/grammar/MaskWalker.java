package io.kvasir.engine.grammar;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Finds the tokens that may come next by walking the trie of the vocabulary with the automaton.
/// Not thread-safe; each constraint has its own.
final class MaskWalker {
  /// No limit on what is left behind a token.
  static final long UNLIMITED = Long.MAX_VALUE;

  private final Automaton automaton;
  private final TokenTrie trie;
  private final MaskCache cache;
  private final Threads threads;
  private int[] segment = new int[32];

  MaskWalker(Automaton automaton, TokenTrie trie, MaskCache cache) {
    this.automaton = automaton;
    this.trie = trie;
    this.cache = cache;
    this.threads = new Threads(automaton);
  }

  /// Adds to `mask` the tokens that may come in place `i` of `places`.
  ///
  /// @param limit the greatest cost, as [Threads#cost] has it, that may be left behind a token
  void addAllowed(Threads places, int i, long limit, long[] mask) {
    int state = places.state(i);
    long count = places.count(i);
    Frame stack = places.stack(i);
    while (true) {
      MaskCache.Entry entry = entry(state, count);
      if (limit < UNLIMITED && entry.cost > limit - threads.cost(stack)) {
        walk(0, state, count, stack, mask, limit, null);
        return;
      }
      for (int w = 0; w < mask.length; w++) {
        mask[w] |= entry.mask[w];
      }
      if (stack == null) {
        return;
      }
      boolean endsAtOnce = false;
      for (int node : entry.exits) {
        if (node == 0) {
          endsAtOnce = true;
        } else {
          walk(node, stack.state, stack.count, stack.below, mask, limit, null);
        }
      }
      if (!endsAtOnce) {
        return;
      }
      state = stack.state;
      count = stack.count;
      stack = stack.below;
    }
  }

  private MaskCache.Entry entry(int state, long count) {
    long same = automaton.counting(state).representative(count, trie.longestToken());
    MaskCache.Key key = new MaskCache.Key(state, same);
    MaskCache.Entry entry = cache.get(key);
    if (entry == null) {
      long[] mask = new long[(trie.vocabularySize() + 63) / 64];
      Ints exits = new Ints();
      if (automaton.mayEnd(state, same)) {
        exits.add(0);
      }
      long cost = walk(0, state, same, Frame.UNKNOWN, mask, UNLIMITED, exits);
      entry = new MaskCache.Entry(mask, cost, exits.toArray());
      cache.put(key, entry);
    }
    return entry;
  }

  /// Walks the subtree of `node`, in which the automaton stands at one place, and marks the tokens
  /// in it behind which at most `limit` is left; notes in `exits` the inner nodes where all that is
  /// known of the stack has ended. Returns the greatest cost behind a marked token.
  private long walk(
      int node,
      int state,
      long count,
      @Nullable Frame stack,
      long[] mask,
      long limit,
      @Nullable Ints exits) {
    threads.truncate(0);
    threads.add(0, state, count, stack);
    int base = trie.depth(node);
    segment[0] = 0;
    segment[1] = 1;
    int end = trie.end(node);
    long dearest = 0;
    for (int n = node + 1; n < end; ) {
      int d = trie.depth(n) - base;
      if (d + 1 >= segment.length) {
        segment = Arrays.copyOf(segment, 2 * segment.length);
      }
      threads.truncate(segment[d]);
      threads.step(segment[d - 1], segment[d], trie.byteOf(n));
      segment[d + 1] = threads.size();
      if (segment[d + 1] == segment[d]) {
        n = trie.end(n);
        continue;
      }
      if (trie.hasToken(n)) {
        boolean costed = exits != null || limit < UNLIMITED;
        long cost = costed ? threads.cost(segment[d]) : 0;
        if (cost <= limit) {
          dearest = Math.max(dearest, cost);
          trie.mark(n, mask);
        }
      }
      if (exits != null && trie.end(n) > n + 1 && threads.canEnd(segment[d], false)) {
        exits.add(n);
      }
      n++;
    }
    return dearest;
  }
}
