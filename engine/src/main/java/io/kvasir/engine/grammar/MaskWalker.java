package io.kvasir.engine.grammar;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Finds the tokens that may come next by walking the trie of the vocabulary with the automaton.
/// Not thread-safe; each constraint has its own.
final class MaskWalker {
  /// No limit on what is left behind a token.
  static final long UNLIMITED = Long.MAX_VALUE;

  /// Most elementary steps of one mask, some tenths of a second: all other answers of a step wait
  /// for it. The first mask in a free string takes a tenth of it with 150,000 tokens, others less.
  static final long MAX_WORK = 10_000_000;

  private static final short[] NOTHING = {};
  private static final MaskCache.Entry NONE =
      new MaskCache.Entry(new long[0], 0, new int[0], NOTHING);

  private final Automaton automaton;
  private final TokenTrie trie;
  private final MaskCache cache;
  private final Threads threads;
  private int[] segment = new int[32];
  private short[] needs = NOTHING;
  private final Ints exitNeeds = new Ints();
  private long mostWork = MAX_WORK;

  MaskWalker(Automaton automaton, TokenTrie trie, MaskCache cache) {
    this.automaton = automaton;
    this.trie = trie;
    this.cache = cache;
    this.threads = new Threads(automaton);
  }

  /// Begins a mask: what it may cost counts from here.
  void begin() {
    mostWork = threads.work() + MAX_WORK;
  }

  /// Adds to `mask` the tokens that may come in place `i` of `places`.
  ///
  /// @param limit the greatest cost, as [Threads#cost] has it, that may be left behind a token
  /// @throws GrammarException where the mask takes more than [#MAX_WORK]
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
    Counting counting = automaton.counting(state);
    long same = counting.representative(count, trie.longestToken());
    MaskCache.Key key = new MaskCache.Key(state, same);
    MaskCache.Entry entry = cache.get(key);
    if (entry == null) {
      long remaining = counting.remaining(same);
      MaskCache.Entry all =
          remaining >= 0 && remaining < trie.longestToken() ? counted(state) : NONE;
      entry = all.needs.length > 0 ? limited(all, remaining) : walked(state, same, false);
      cache.put(key, entry);
    }
    return entry;
  }

  /// The entry of `state` without a limit, with what each token adds to the counter.
  private MaskCache.Entry counted(int state) {
    MaskCache.Key key = new MaskCache.Key(state, Counting.VIRTUAL);
    MaskCache.Entry entry = cache.get(key);
    if (entry == null) {
      entry = walked(state, Counting.VIRTUAL, true);
      cache.put(key, entry);
    }
    return entry;
  }

  private MaskCache.Entry walked(int state, long count, boolean counted) {
    long[] mask = new long[(trie.vocabularySize() + 63) / 64];
    Ints exits = new Ints();
    if (automaton.mayEnd(state, count)) {
      exits.add(0);
    }
    needs = counted ? new short[trie.vocabularySize()] : NOTHING;
    exitNeeds.clear();
    if (exits.size() > 0) {
      exitNeeds.add(0);
    }
    long cost = walk(0, state, count, Frame.UNKNOWN, mask, UNLIMITED, exits);
    short[] noted = needs;
    needs = NOTHING;
    if (noted.length > 0) {
      noted = Arrays.copyOf(noted, trie.vocabularySize() + exits.size());
      for (int i = 0; i < exits.size(); i++) {
        noted[trie.vocabularySize() + i] = (short) exitNeeds.get(i);
      }
    }
    return new MaskCache.Entry(mask, cost, exits.toArray(), noted);
  }

  /// The part of `all` that counts at most `remaining` times: one walk serves all lengths.
  private MaskCache.Entry limited(MaskCache.Entry all, long remaining) {
    long[] mask = all.mask.clone();
    for (int t = 0; t < trie.vocabularySize(); t++) {
      if (all.needs[t] > remaining) {
        mask[t >> 6] &= ~(1L << t);
      }
    }
    Ints exits = new Ints();
    for (int i = 0; i < all.exits.length; i++) {
      if (all.needs[trie.vocabularySize() + i] <= remaining) {
        exits.add(all.exits[i]);
      }
    }
    return new MaskCache.Entry(mask, all.cost, exits.toArray(), NOTHING);
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
      if (threads.work() > mostWork) {
        throw new GrammarException(
            "the grammar has too many alternatives at one place of the answer: the next token takes"
                + " more than %,d steps; tell them apart earlier or limit fewer of them"
                    .formatted(MAX_WORK));
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
          note(n, segment[d]);
        }
      }
      if (exits != null && trie.end(n) > n + 1 && threads.canEnd(segment[d], false)) {
        exits.add(n);
        exitNeeds.add(need(segment[d]));
      }
      n++;
    }
    return dearest;
  }

  /// What the way here has added to the counter; gives up noting where that is not one number.
  private int need(int from) {
    long count = threads.lowestCount(from) - Counting.VIRTUAL;
    if (count < 0) {
      needs = NOTHING;
    }
    return (int) Math.max(0, count);
  }

  private void note(int node, int from) {
    int need = needs.length > 0 ? need(from) : 0;
    if (needs.length > 0) {
      trie.note(node, (short) need, needs);
    }
  }
}
