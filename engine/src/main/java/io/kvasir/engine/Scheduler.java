package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.Reservation;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Decides what each step computes, and owns the sequences' cache blocks between their first step
/// and their end.
///
/// Requests start in the order of arrival. One starts when the blocks that it may need to its very
/// end are free and promised to nobody else, so a running sequence never lacks memory. A step takes
/// one token of every decoding sequence first, then fills the token budget with pending prompt
/// tokens, oldest first (chunked prefill, Sarathi-Serve, arXiv 2403.02310).
///
/// Owned by the engine's thread.
final class Scheduler {
  private final KvCache cache;
  private final EngineConfig config;
  private final int contextTokens;
  private final Deque<Pending> waiting = new ArrayDeque<>();
  private final List<Sequence> running = new ArrayList<>();
  private final Set<Session> idleSessions = new LinkedHashSet<>();
  private final Batch batch = new Batch();

  /// A submitted request that has not started.
  record Pending(Request request, TokenStream stream, long submittedNanos) {}

  Scheduler(KvCache cache, EngineConfig config, int contextTokens) {
    this.cache = cache;
    this.config = config;
    this.contextTokens = contextTokens;
  }

  void enqueue(Pending pending) {
    waiting.add(pending);
  }

  boolean isIdle() {
    return waiting.isEmpty() && running.isEmpty();
  }

  List<Sequence> running() {
    return running;
  }

  /// The next step; empty where nothing can run. Room for its tokens is reserved.
  Batch schedule(long nowNanos) {
    batch.clear();
    dropCancelled(nowNanos);
    admit();
    int budget = config.stepTokens();
    for (Sequence sequence : running) {
      if (sequence.pending() == 1 && budget > 0) {
        budget -= plan(sequence, 1, nowNanos);
      }
    }
    for (Sequence sequence : running) {
      if (sequence.pending() > 1 && budget > 0) {
        budget -= plan(sequence, Math.min(budget, sequence.pending()), nowNanos);
      }
    }
    return batch;
  }

  private int plan(Sequence sequence, int tokens, long nowNanos) {
    if (!(cache.reserve(sequence.table(), tokens) instanceof Reservation.Granted)) {
      throw new IllegalStateException(
          "admitted sequence of %d tokens lacks blocks: %s"
              .formatted(sequence.length(), cache.stats()));
    }
    sequence.started(nowNanos);
    batch.add(sequence, tokens);
    return tokens;
  }

  private void admit() {
    while (!waiting.isEmpty()) {
      Pending next = waiting.peek();
      Session session = next.request().session();
      if (session != null && session.isBusy()) {
        return;
      }
      while (!fits(next.request())) {
        if (!dropIdleSession(session)) {
          return;
        }
      }
      waiting.remove();
      running.add(new Sequence(next.request(), next.stream(), next.submittedNanos(), table(next)));
    }
  }

  /// Whether the request's whole need is free beyond what running sequences may still take.
  private boolean fits(Request request) {
    long promised = 0;
    for (Sequence sequence : running) {
      promised += need(sequence.request()) - sequence.table().blockCount();
    }
    return need(request) + promised <= cache.availableBlocks() + heldBySession(request);
  }

  /// Frees the cache of the session that has been idle longest, other than `wanted`.
  private boolean dropIdleSession(@Nullable Session wanted) {
    for (Session idle : idleSessions) {
      if (!idle.equals(wanted)) {
        forget(idle);
        return true;
      }
    }
    return false;
  }

  /// Frees what a session holds; its next request computes everything anew.
  void forget(Session session) {
    idleSessions.remove(session);
    BlockTable held = session.takeTable();
    if (held != null) {
      cache.release(held);
    }
  }

  private static int heldBySession(Request request) {
    Session session = request.session();
    return session == null ? 0 : session.heldBlocks();
  }

  /// Blocks that a request takes at most at once.
  long need(Request request) {
    long tokens = Math.min(contextTokens, (long) request.prompt().length + request.maxTokens());
    return cache.layout().blocksFor(tokens, config.stepTokens());
  }

  /// The sequence's table: the session's, rewound to what the prompt shares with it, or one that
  /// holds what the cache knows of the prompt. The last prompt token is always computed, since its
  /// scores are needed.
  private BlockTable table(Pending pending) {
    Session session = pending.request().session();
    BlockTable held = session == null ? null : session.acquire();
    if (session == null || held == null) {
      return sharesPrefixes()
          ? cache.lookup(pending.request().salt(), pending.request().prompt())
          : cache.open();
    }
    idleSessions.remove(session);
    int[] prompt = pending.request().prompt();
    int[] kept = session.tokens();
    int shared = 0;
    int most = Math.min(Math.min(prompt.length - 1, kept.length), held.length());
    while (shared < most && prompt[shared] == kept[shared]) {
      shared++;
    }
    cache.truncate(held, shared);
    return held;
  }

  private boolean sharesPrefixes() {
    return config.useCache() && config.sharePrefixes();
  }

  private void dropCancelled(long nowNanos) {
    for (Pending pending : List.copyOf(waiting)) {
      if (pending.stream().isCancelled()) {
        waiting.remove(pending);
        Sequence unstarted =
            new Sequence(
                pending.request(), pending.stream(), pending.submittedNanos(), cache.open());
        unstarted.finish(FinishReason.CANCELLED);
        end(unstarted, nowNanos, null);
      }
    }
    for (Sequence sequence : running) {
      if (sequence.stream().isCancelled()) {
        sequence.finish(FinishReason.CANCELLED);
      }
    }
    retire(nowNanos);
  }

  /// Takes the step's results: `chosen[i]` is the next token of the batch's sequence `i` where the
  /// step completed it.
  void update(Batch done, int[] chosen, long nowNanos) {
    for (int i = 0; i < done.size(); i++) {
      Sequence sequence = done.sequence(i);
      boolean completed = done.completes(i);
      cache.commit(sequence.table(), sequence.tokens(), done.count(i));
      if (completed) {
        accept(sequence, chosen[i], nowNanos);
        if (!config.useCache()) {
          cache.truncate(sequence.table(), 0);
        }
      }
    }
    retire(nowNanos);
  }

  private void accept(Sequence sequence, int token, long nowNanos) {
    Request request = sequence.request();
    if (request.stopTokens().contains(token)) {
      sequence.stopped(nowNanos);
      sequence.finish(FinishReason.STOP);
      return;
    }
    sequence.append(token, nowNanos);
    sequence.stream().emit(token);
    if (sequence.generated() >= request.maxTokens() || sequence.length() >= contextTokens) {
      sequence.finish(FinishReason.LENGTH);
    }
  }

  /// Ends every running sequence with an error.
  void failAll(Throwable error, long nowNanos) {
    for (Sequence sequence : running) {
      sequence.finish(FinishReason.ERROR);
      end(sequence, nowNanos, error);
    }
    running.clear();
  }

  /// Ends all requests, started or not, as cancelled.
  void cancelAll(long nowNanos) {
    waiting.forEach(pending -> pending.stream().cancel());
    running.forEach(sequence -> sequence.stream().cancel());
    dropCancelled(nowNanos);
  }

  private void retire(long nowNanos) {
    boolean any = false;
    for (Sequence sequence : running) {
      if (sequence.finished() != null) {
        end(sequence, nowNanos, null);
        any = true;
      }
    }
    if (any) {
      running.removeIf(sequence -> sequence.finished() != null);
    }
  }

  private void end(Sequence sequence, long nowNanos, @Nullable Throwable error) {
    Outcome outcome = sequence.outcome(nowNanos, cache.layout().blockBytes(), error);
    Session session = sequence.request().session();
    if (session == null || session.isClosed() || error != null) {
      cache.release(sequence.table());
      if (session != null) {
        session.idle();
      }
    } else {
      session.keep(sequence.table(), sequence.computedTokens());
      idleSessions.add(session);
    }
    sequence.stream().finish(outcome);
  }
}
