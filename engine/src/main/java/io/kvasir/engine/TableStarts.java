package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.prune.PruneOptions;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What sequences start with, and go on with after they gave way: the cached beginning of their
/// tokens, as far as it may be theirs. Owned by the engine's thread.
final class TableStarts {
  private final KvCache cache;
  private final boolean sharing;
  private final Runnable wake;

  /// @param sharing whether prefixes are shared at all
  /// @param wake makes the engine take another step
  TableStarts(KvCache cache, boolean sharing, Runnable wake) {
    this.cache = cache;
    this.sharing = sharing;
    this.wake = wake;
  }

  /// Why a request cannot go on with its session, or null. The engine's thread alone can know.
  static @Nullable RuntimeException refusal(Waiting next) {
    PruneHistory history = history(next);
    boolean pruned = history != null && history.prunedEnd() > 0;
    return pruned && next.request.prune().skipsPages()
        ? new IllegalArgumentException(
            "quest reads whole conversations only, and this one has lost tokens to another policy")
        : null;
  }

  /// What the request's session went through, where its prompt goes on with that.
  private static @Nullable PruneHistory history(Waiting next) {
    Session session = next.request.session();
    PruneHistory history = session == null ? null : session.history();
    return history != null && history.precedes(next.request.prompt()) ? history : null;
  }

  /// When a request's sequence is pruned. An embedding never is.
  static PrunePlan plan(Waiting next) {
    PruneOptions options = next.embedding ? PruneOptions.NONE : next.request.prune();
    return new PrunePlan(history(next), options, next.request.prompt().length);
  }

  /// A table for a request that starts without a session's.
  BlockTable fresh(Waiting next, PrunePlan plan) {
    boolean everyRow = next.embedding || next.request.output().promptScores();
    int[] prompt = next.request.prompt();
    return sharing && !everyRow
        ? cache.lookup(next.request.salt(), reusable(prompt, prompt.length, plan))
        : cache.open();
  }

  /// A table for a sequence that gave its own up.
  BlockTable again(Sequence sequence) {
    PrunePlan plan = sequence.plan();
    plan.startOver();
    BlockTable table =
        looksUp(sequence)
            ? cache.lookup(sequence.request().salt(), reusable(sequence))
            : cache.open();
    cache.shareUpTo(table, plan.sharedTo());
    return table;
  }

  /// Lets a sequence wait for what lower tiers hold of its tokens.
  ///
  /// @param computeNanosPerToken what computing a token takes; 0 where nobody knows
  void bringBack(Sequence sequence, double computeNanosPerToken) {
    if (looksUp(sequence)) {
      long nanos = (long) computeNanosPerToken;
      sequence.await(cache.promote(sequence.table(), reusable(sequence), nanos, wake));
    }
  }

  /// Why no more of a prompt was cached.
  PrefixMiss explain(Sequence sequence) {
    Request request = sequence.request();
    return looksUp(sequence) && request.session() == null
        ? cache.explain(request.salt(), sequence.table(), request.prompt())
        : PrefixMiss.NONE;
  }

  private static int[] reusable(Sequence sequence) {
    return reusable(sequence.tokens(), sequence.length(), sequence.plan());
  }

  /// The tokens whose cached prefix a new table may use, and one more, which a lookup leaves out.
  private static int[] reusable(int[] tokens, int length, PrunePlan plan) {
    return Arrays.copyOf(tokens, (int) Math.min(length, plan.reusable() + 1L));
  }

  private boolean looksUp(Sequence sequence) {
    return sharing && !sequence.extras().wantsEveryRow();
  }
}
