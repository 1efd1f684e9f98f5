package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.Reservation;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Decides what each step computes, and owns the sequences' cache blocks between their first step
/// and their end.
///
/// Requests start in the order of arrival. One starts when there is room for its prompt and a few
/// blocks of its answer beside what running sequences need soon. Where a running one finds no room
/// later, idle sessions give way first and then the sequence that started last: its blocks become
/// cached ones, and it goes on before any new request starts (preemption by recomputation, as in
/// vLLM, here mostly by finding its blocks again). A step takes one token of every decoding
/// sequence first, then fills the token budget with pending prompt tokens, oldest first (chunked
/// prefill, Sarathi-Serve, arXiv 2403.02310).
///
/// Owned by the engine's thread.
final class Scheduler {
  /// Fewest tokens of a step from which the speed of computing prompts is learned.
  private static final int RATE_TOKENS = 32;

  /// How many blocks of an answer a sequence must have room for to start.
  private static final int BLOCKS_AHEAD = 4;

  private final KvCache cache;
  private final EngineConfig config;
  private final int contextTokens;
  private final Runnable wake;
  private final Deque<Pending> waiting = new ArrayDeque<>();
  private final Deque<Sequence> preempted = new ArrayDeque<>();
  private final List<Sequence> running = new ArrayList<>();
  private final Set<Session> idleSessions = new LinkedHashSet<>();
  private final Batch batch = new Batch();
  private double computeNanosPerToken;
  private long scheduledNanos;
  private long preemptions;

  /// A submitted request that has not started.
  record Pending(Request request, TokenStream stream, long submittedNanos) {}

  /// @param wake makes the engine take another step
  Scheduler(KvCache cache, EngineConfig config, int contextTokens, Runnable wake) {
    this.wake = wake;
    this.cache = cache;
    this.config = config;
    this.contextTokens = contextTokens;
  }

  void enqueue(Pending pending) {
    waiting.add(pending);
  }

  EngineStats stats() {
    return new EngineStats(running.size(), waiting.size() + preempted.size(), preemptions);
  }

  /// The next step; empty where nothing can run. Room for its tokens is reserved.
  Batch schedule(long nowNanos) {
    scheduledNanos = nowNanos;
    dropCancelled(nowNanos);
    admit();
    do {
      batch.clear();
    } while (!plan(nowNanos));
    return batch;
  }

  /// Plans the step. @return false where a sequence had to give way and planning starts again
  private boolean plan(long nowNanos) {
    int budget = config.stepTokens();
    for (int i = 0; i < 2 * running.size() && budget > 0; i++) {
      Sequence sequence = running.get(i % running.size());
      boolean decodes = sequence.pending() == 1;
      if (sequence.isWaiting() || decodes != i < running.size()) {
        continue;
      }
      int tokens = Math.min(budget, sequence.pending());
      if (cache.reserve(sequence.table(), tokens) instanceof Reservation.Insufficient lack) {
        makeRoom(lack);
        return false;
      }
      sequence.started(nowNanos);
      batch.add(sequence, tokens);
      budget -= tokens;
    }
    return true;
  }

  /// Takes the room of an idle session or else of the sequence that started last.
  private void makeRoom(Reservation.Insufficient lack) {
    if (dropIdleSession(null)) {
      return;
    }
    // Blocks may also be held by a session that is being saved or by an ended sequence whose read
    // is not over; whoever ends that wakes the engine.
    if (running.size() == 1 && cache.stats().tables() == 1) {
      throw new IllegalStateException("a sequence alone lacks blocks: " + lack);
    }
    Sequence youngest = running.getLast();
    for (int i = running.size() - 1; i >= 0 && youngest.isWaiting(); i--) {
      youngest = running.get(i);
    }
    preempt(youngest);
  }

  /// Lets go of a sequence's blocks for others. What it computed stays cached as long as there is
  /// room; when the sequence goes on, it computes what is missing then, and no token of it is lost.
  private void preempt(Sequence sequence) {
    preemptions++;
    running.remove(sequence);
    cache.release(sequence.table());
    preempted.addFirst(sequence);
  }

  private void admit() {
    while (!preempted.isEmpty() && fits(preempted.peek())) {
      Sequence sequence = preempted.remove();
      int[] known = Arrays.copyOf(sequence.tokens(), sequence.length());
      BlockTable table =
          sharesPrefixes() ? cache.lookup(sequence.request().salt(), known) : cache.open();
      sequence.resume(table);
      running.add(sequence);
      bringBack(sequence, known);
    }
    while (preempted.isEmpty() && !waiting.isEmpty()) {
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
      begin(next);
    }
  }

  /// Starts a request, or ends it with an error, so that it gets an answer in any case.
  private void begin(Pending next) {
    boolean fresh = heldBySession(next.request()) == 0;
    BlockTable table;
    try {
      table = table(next);
    } catch (RuntimeException | Error e) {
      Session session = next.request().session();
      if (session != null) {
        session.idle();
      }
      endUnstarted(next, FinishReason.ERROR, e, scheduledNanos);
      return;
    }
    // From here on the table is the sequence's, and whatever ends the sequence releases it.
    Sequence sequence = new Sequence(next.request(), next.stream(), next.submittedNanos(), table);
    running.add(sequence);
    if (fresh) {
      bringBack(sequence, next.request().prompt());
    }
  }

  /// Lets a sequence wait for what lower tiers hold of its tokens.
  private void bringBack(Sequence sequence, int[] tokens) {
    if (sharesPrefixes()) {
      long nanos = (long) computeNanosPerToken;
      sequence.await(cache.promote(sequence.table(), tokens, nanos, wake));
    }
  }

  /// Answers a request that never took part in a step. Its session, which another request may be
  /// using, is left alone.
  private void endUnstarted(
      Pending pending, FinishReason reason, @Nullable Throwable error, long nowNanos) {
    BlockTable none = cache.open();
    Sequence unstarted =
        new Sequence(pending.request(), pending.stream(), pending.submittedNanos(), none);
    unstarted.finish(reason);
    Outcome outcome = unstarted.outcome(nowNanos, cache.layout().blockBytes(), error);
    cache.release(none);
    pending.stream().finish(outcome);
  }

  /// Learns how long a token takes to compute from steps that are mostly prompt.
  private void learnRate(Batch done, long nowNanos) {
    int tokens = done.tokens();
    if (tokens >= RATE_TOKENS) {
      double nanos = (double) (nowNanos - scheduledNanos) / tokens;
      computeNanosPerToken =
          computeNanosPerToken == 0 ? nanos : 0.8 * computeNanosPerToken + 0.2 * nanos;
    }
  }

  /// Whether there is room for what the request needs soon, beside what running sequences do.
  private boolean fits(Request request) {
    long most = (long) request.prompt().length + request.maxTokens();
    return soon(request.prompt().length, most) + promised()
        <= cache.availableBlocks() + heldBySession(request);
  }

  private boolean fits(Sequence sequence) {
    long wanted = soon(sequence.length(), sequence.mostTokens()) + promised();
    while (wanted > cache.availableBlocks() && dropIdleSession(null)) {}
    return wanted <= cache.availableBlocks() || running.isEmpty();
  }

  /// Blocks that running sequences will take soon beyond those they hold.
  private long promised() {
    long promised = 0;
    for (Sequence sequence : running) {
      long wanted = soon(sequence.length(), sequence.mostTokens());
      promised += Math.max(0, wanted - sequence.table().blockCount());
    }
    return promised;
  }

  /// Blocks for `known` tokens and a few blocks of what may follow, up to `most`.
  private long soon(int known, long most) {
    long ahead = (long) known + (long) BLOCKS_AHEAD * cache.layout().blockTokens();
    return cache
        .layout()
        .blocksFor(Math.min(contextTokens, Math.min(most, ahead)), config.stepTokens());
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

  /// Makes `fork` hold what `source` holds. Where there is no room for the copy of a partly filled
  /// block it starts empty and finds what is cached when it is used.
  Session fork(Session source, Session fork) {
    source.checkIdle();
    BlockTable held = source.table();
    if (held != null && cache.fork(held) instanceof KvCache.Forked.Table(BlockTable table)) {
      restore(fork, table, source.tokens());
    }
    return fork;
  }

  /// Takes an idle session's table out of it; its tokens stay.
  @Nullable BlockTable take(Session session) {
    idleSessions.remove(session);
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
      restore(session, table, tokens);
    }
    return session;
  }

  /// Gives a session a table between requests.
  private void restore(Session session, BlockTable table, int[] tokens) {
    session.keep(table, tokens);
    idleSessions.add(session);
  }

  /// Cuts a session to its first `length` tokens. @return how many of them stay cached
  int rewind(Session session, int length) {
    session.checkIdle();
    if (length < 0 || length > session.tokens().length) {
      throw new IllegalArgumentException(
          "cannot rewind a session of %d tokens to %d".formatted(session.tokens().length, length));
    }
    BlockTable held = session.table();
    if (held == null) {
      return 0;
    }
    int kept = cache.truncate(held, length);
    session.keep(held, Arrays.copyOf(session.tokens(), kept));
    return kept;
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
        endUnstarted(pending, FinishReason.CANCELLED, null, nowNanos);
      }
    }
    for (Sequence sequence : List.copyOf(preempted)) {
      if (sequence.stream().isCancelled()) {
        preempted.remove(sequence);
        sequence.resume(cache.open());
        sequence.finish(FinishReason.CANCELLED);
        end(sequence, nowNanos, null);
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
    learnRate(done, nowNanos);
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
    while (!running.isEmpty()) {
      Sequence sequence = running.removeLast();
      sequence.finish(FinishReason.ERROR);
      end(sequence, nowNanos, error);
    }
  }

  /// Ends all requests, started or not, as cancelled.
  void cancelAll(long nowNanos) {
    waiting.forEach(pending -> pending.stream().cancel());
    preempted.forEach(sequence -> sequence.stream().cancel());
    running.forEach(sequence -> sequence.stream().cancel());
    dropCancelled(nowNanos);
    // What conversations hold becomes cached, so that tiers can keep it.
    List.copyOf(idleSessions).forEach(this::forget);
  }

  private void retire(long nowNanos) {
    for (int i = running.size() - 1; i >= 0; i--) {
      if (running.get(i).finished() != null) {
        end(running.remove(i), nowNanos, null);
      }
    }
  }

  private void end(Sequence sequence, long nowNanos, @Nullable Throwable error) {
    Outcome outcome = sequence.outcome(nowNanos, cache.layout().blockBytes(), error);
    Session session = sequence.request().session();
    if (session == null || session.isClosed() || error != null || sequence.isWaiting()) {
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
