package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.Reservation;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What sessions hold between requests, from the one idle longest to the one used last. Owned by
/// the engine's thread.
final class SessionTables {
  private final KvCache cache;
  private final Set<Session> idle = new LinkedHashSet<>();

  SessionTables(KvCache cache) {
    this.cache = cache;
  }

  /// Frees the cache of the session that has been idle longest, other than `wanted`.
  boolean dropOldest(@Nullable Session wanted) {
    for (Session session : idle) {
      if (!session.equals(wanted)) {
        forget(session);
        return true;
      }
    }
    return false;
  }

  /// Frees what a session holds; its next request computes everything anew.
  void forget(Session session) {
    idle.remove(session);
    BlockTable held = session.takeTable();
    if (held != null) {
      cache.release(held);
    }
  }

  void forgetAll() {
    List.copyOf(idle).forEach(this::forget);
  }

  /// Makes `fork` hold what `source` holds. Where there is no room for copies of partly filled
  /// blocks and of the margin it starts empty and finds what is cached when it is used.
  Session fork(Session source, Session fork) {
    source.checkIdle();
    BlockTable held = source.table();
    if (held != null && cache.fork(held) instanceof KvCache.Forked.Table(BlockTable table)) {
      if (cache.copyMargin(held, table) instanceof Reservation.Granted) {
        keep(fork, table, source.tokens());
      } else {
        cache.release(table);
      }
    }
    fork.remember(source.history());
    return fork;
  }

  /// Takes an idle session's table out of it; its tokens stay.
  @Nullable BlockTable take(Session session) {
    idle.remove(session);
    BlockTable held = session.table();
    session.lend();
    return held;
  }

  /// Gives a session a table whose `tokens` positions are all filled; null tokens end the table.
  Session adopt(Session session, BlockTable table, int @Nullable [] tokens) {
    if (tokens == null) {
      cache.release(table);
    } else {
      cache.commitRestored(table, tokens, tokens.length - table.length());
      keep(session, table, tokens);
    }
    return session;
  }

  /// Gives a session a table between requests.
  void keep(Session session, BlockTable table, int[] tokens) {
    session.keep(table, tokens);
    idle.add(session);
  }

  /// Cuts a session to its first `length` tokens. @return how many of them stay cached
  int rewind(Session session, int length) {
    session.checkIdle();
    if (length < 0 || length > session.tokens().length) {
      throw new IllegalArgumentException(
          "cannot rewind a session of %d tokens to %d".formatted(session.tokens().length, length));
    }
    PruneHistory history = session.history();
    if (history != null && length < history.end()) {
      // What was pruned cannot be had back: the conversation begins anew.
      session.remember(null);
      forget(session);
    }
    BlockTable held = session.table();
    if (held == null) {
      return 0;
    }
    int kept = cache.truncate(held, length);
    session.keep(held, Arrays.copyOf(session.tokens(), kept));
    return kept;
  }

  /// The table of a request's session, rewound to what the prompt shares with it; null where the
  /// session holds none. The session is in use from now on. The last prompt token is always
  /// computed, since its scores are needed, and so is what the plan's policy has to see.
  @Nullable BlockTable acquire(Session session, int[] prompt, PrunePlan plan) {
    BlockTable held = session.acquire();
    if (held == null) {
      return null;
    }
    idle.remove(session);
    int[] kept = session.tokens();
    int shared = 0;
    int most = Math.min(Math.min(prompt.length - 1, kept.length), held.length());
    while (shared < most && prompt[shared] == kept[shared]) {
      shared++;
    }
    plan.goOnBehindPast();
    int least = plan.pastEnd();
    if (least == 0) {
      // Rows that left out pages belong to a past that the prompt does not go on with.
      shared = Math.min(shared, held.sharedTo());
    }
    shared = Math.min(shared, plan.reusable());
    boolean serves = shared >= least && (least > 0 || held.pruned() == null);
    if (serves) {
      cache.truncate(held, shared);
      serves = held.length() >= least;
    }
    if (!serves) {
      cache.release(held);
      plan.startOver();
      return null;
    }
    return held;
  }
}
