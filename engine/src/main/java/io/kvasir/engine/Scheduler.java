package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.Reservation;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Decides what each step computes, and owns the sequences' cache blocks between their first step
/// and their end.
///
/// Requests start in the order of the [FairQueue], when there is room for their prompt and a few
/// blocks of their answer beside what running sequences need soon. Where a running one finds no
/// room later, idle sessions give way first and then a [Victims] sequence: its blocks become cached
/// ones and it waits again (preemption by recomputation, as in vLLM, here mostly by finding its
/// blocks again). A tenant below its share of the cache that waits takes room from one above.
///
/// A step takes one token of every decoding sequence first, then fills the token budget with
/// pending prompt tokens, oldest first (chunked prefill, Sarathi-Serve, arXiv 2403.02310); as long
/// as others wait for theirs, one takes at most half of what is left, so that none waits for the
/// whole of a long prompt.
///
/// Owned by the engine's thread.
final class Scheduler {
  /// Fewest tokens of a step from which the speed of computing prompts is learned.
  private static final int RATE_TOKENS = 32;

  /// Smallest part of a prompt that is worth a place in a step.
  private static final int LEAST_CHUNK = 32;

  private final KvCache cache;
  private final EngineConfig config;
  private final int contextTokens;
  private final int mostRunning;
  private final FairQueue queue;
  private final SessionTables sessions;
  private final TableStarts starts;
  private final Victims victims;
  private final BlockNeeds needs;
  private final int fullGroup;
  private final List<Sequence> running = new ArrayList<>();
  private final Batch batch = new Batch();
  private @Nullable Pruning pruning;
  private long prunedRows;
  private final QueuePlaces places;
  private volatile long lastWaitNanos;
  private double computeNanosPerToken;
  private long scheduledNanos;
  private long preemptions;
  private long recomputedTokens;

  /// @param wake makes the engine take another step
  Scheduler(KvCache cache, EngineConfig config, int contextTokens, Runnable wake) {
    this.cache = cache;
    this.places = new QueuePlaces(config.queueLimit());
    this.config = config;
    this.contextTokens = contextTokens;
    this.mostRunning = Math.min(config.sequences(), config.stepTokens());
    this.queue = new FairQueue(config.tenantWeights());
    this.sessions = new SessionTables(cache);
    this.starts = new TableStarts(cache, config.useCache() && config.sharePrefixes(), wake);
    this.fullGroup = fullGroup(cache.layout());
    this.victims = new Victims(running, queue, cache);
    this.needs = new BlockNeeds(cache.layout(), config.stepTokens(), contextTokens);
  }

  /// A layer group that keeps all positions, whose blocks tell what sequences share; -1 for none.
  private static int fullGroup(KvLayout layout) {
    for (LayerGroup group : layout.groups()) {
      if (group.isFull()) {
        return group.index();
      }
    }
    return -1;
  }

  /// Who prunes; to be told before the first request. Without anyone, no request may ask for it.
  void prune(Pruning value) {
    pruning = value;
  }

  Pruning pruning() {
    return Objects.requireNonNull(pruning, "nobody prunes");
  }

  private long rowsPerToken() {
    return pruning == null ? 1 : pruning.rowsPerToken();
  }

  SessionTables sessions() {
    return sessions;
  }

  void enqueue(Waiting waiting) {
    waiting.stream.place(waiting);
    queue.add(waiting);
  }

  /// Where requests wait for their start. For any thread.
  QueuePlaces places() {
    return places;
  }

  /// How long the request that started last has waited. For any thread.
  long lastWaitNanos() {
    return lastWaitNanos;
  }

  EngineStats stats() {
    return new EngineStats(
        running.size(),
        queue.size(),
        queue.activeTenants(),
        preemptions,
        recomputedTokens,
        prunedRows / rowsPerToken());
  }

  /// The next step; empty where nothing can run. Room for its tokens is reserved.
  Batch schedule(long nowNanos) {
    scheduledNanos = nowNanos;
    expire(nowNanos);
    retire(nowNanos);
    admit();
    do {
      batch.clear();
    } while (!plan(nowNanos));
    return batch;
  }

  /// Plans the step. @return false where a sequence had to give way and planning starts again
  private boolean plan(long nowNanos) {
    int budget = config.stepTokens();
    long prompts = 0;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      if (sequence.isWaiting()) {
        continue;
      }
      if (sequence.pending() > 1) {
        prompts += sequence.pending();
      } else if (budget > 0) {
        if (!take(sequence, 1, nowNanos)) {
          return false;
        }
        budget--;
      }
    }
    if (fullGroup >= 0) {
      batch.neighbourByPrefix(fullGroup);
    }
    for (int i = 0; i < running.size() && prompts > 0 && budget > 0; i++) {
      Sequence sequence = running.get(i);
      if (sequence.isWaiting() || sequence.pending() <= 1) {
        continue;
      }
      prompts -= sequence.pending();
      long most = Math.max(Math.max(LEAST_CHUNK, budget / 2), budget - prompts);
      int tokens = (int) Math.min(Math.min(most, budget), sequence.pending());
      tokens = Math.min(tokens, sequence.untilPruned());
      if (!take(sequence, tokens, nowNanos)) {
        return false;
      }
      budget -= tokens;
    }
    return true;
  }

  /// Puts tokens of a sequence into the step. @return false where one had to give way
  private boolean take(Sequence sequence, int tokens, long nowNanos) {
    BlockTable table = sequence.table();
    Reservation room = cache.reserve(table, tokens);
    int margin = needs.margin(sequence, table.length() + tokens);
    int had = table.marginBlocks();
    if (margin > had && room instanceof Reservation.Granted) {
      room = cache.reserveMargin(table, margin);
      if (pruning != null) {
        pruning.grown(sequence, had);
      }
    }
    if (room instanceof Reservation.Insufficient lack) {
      makeRoom(lack);
      return false;
    }
    if (!sequence.hasStarted()) {
      sequence.started(nowNanos, starts.explain(sequence));
    }
    batch.add(sequence, tokens);
    return true;
  }

  /// Takes the room of an idle session or else of a running sequence.
  private void makeRoom(Reservation.Insufficient lack) {
    if (sessions.dropOldest(null)) {
      return;
    }
    // Blocks may also be held by a session that is being saved or by an ended sequence whose read
    // is not over; whoever ends that wakes the engine.
    if (running.size() == 1 && cache.stats().tables() == 1) {
      throw new IllegalStateException("a sequence alone lacks blocks: " + lack);
    }
    preempt(victims.first());
  }

  /// Lets go of a sequence's blocks for others. What it computed stays cached as long as there is
  /// room; when the sequence goes on, it computes what is missing then, and no token of it is lost.
  private void preempt(Sequence sequence) {
    preemptions++;
    PreemptionEvent event = new PreemptionEvent();
    event.computedTokens = sequence.table().length();
    event.blocks = sequence.table().blockCount();
    event.commit();
    running.remove(sequence);
    sequence.tenant().stopped();
    sequence.preempted();
    cache.release(sequence.table());
    Waiting waiting = new Waiting(sequence);
    sequence.stream().place(waiting);
    queue.add(waiting);
  }

  private void admit() {
    while (running.size() < mostRunning) {
      Waiting next = queue.first();
      if (next == null || !hasRoom(next)) {
        return;
      }
      queue.remove(next);
      if (next.preempted != null) {
        goOn(next.preempted);
      } else {
        begin(next);
      }
    }
  }

  /// Whether there is room for what a request needs soon, beside what running sequences do; takes
  /// it from idle sessions and from tenants above their share where need be.
  private boolean hasRoom(Waiting next) {
    Session session = next.request.session();
    int held = session == null ? 0 : session.heldBlocks();
    while (true) {
      long wanted = needs.soon(next) + needs.promised(running);
      if (wanted <= cache.availableBlocks() + held || running.isEmpty() && next.preempted != null) {
        return true;
      }
      if (sessions.dropOldest(session)) {
        continue;
      }
      Sequence rich = victims.aboveShareFor(next, needs.soon(next));
      if (rich == null) {
        return false;
      }
      preempt(rich);
    }
  }

  private void goOn(Sequence sequence) {
    BlockTable table = starts.again(sequence);
    recomputedTokens += sequence.length() - table.length();
    sequence.resume(table);
    join(sequence);
    starts.bringBack(sequence, computeNanosPerToken);
  }

  private void join(Sequence sequence) {
    running.add(sequence);
    sequence.tenant().started();
    sequence.stream().place(null);
  }

  /// Starts a request, or ends it with an error, so that it gets an answer in any case.
  private void begin(Waiting next) {
    places.give(next.request.terms().tenant());
    lastWaitNanos = scheduledNanos - next.submittedNanos;
    Request request = next.request;
    Session session = request.session();
    RuntimeException refusal = TableStarts.refusal(next);
    if (refusal != null) {
      answer(next, FinishReason.ERROR, refusal, scheduledNanos);
      return;
    }
    PrunePlan plan = TableStarts.plan(next);
    boolean fresh;
    Sequence sequence;
    BlockTable table = null;
    try {
      table = session == null ? null : sessions.acquire(session, request.prompt(), plan);
      fresh = table == null;
      table = table == null ? starts.fresh(next, plan) : table;
      cache.shareUpTo(table, plan.sharedTo());
      sequence = new Sequence(next, queue.tenant(request.terms().tenant()), table, plan);
    } catch (RuntimeException | Error e) {
      if (table != null) {
        cache.release(table);
      }
      if (session != null) {
        session.idle();
      }
      answer(next, FinishReason.ERROR, e, scheduledNanos);
      return;
    }
    // From here on the table is the sequence's, and whatever ends the sequence releases it.
    join(sequence);
    if (fresh) {
      starts.bringBack(sequence, computeNanosPerToken);
    }
  }

  /// Ends a request that waits for its first start. Its session, which another request may be
  /// using, is left alone.
  private void endUnstarted(Waiting waiting, FinishReason reason, long nowNanos) {
    places.give(waiting.request.terms().tenant());
    answer(waiting, reason, null, nowNanos);
  }

  private static void answer(
      Waiting waiting, FinishReason reason, @Nullable Throwable error, long nowNanos) {
    long waited = nowNanos - waiting.submittedNanos;
    int prompt = waiting.request.prompt().length;
    waiting.stream.finish(
        new Outcome(reason, prompt, 0, 0, waited, 0, 0, 0, PrefixMiss.NONE, 0, 0, error));
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

  /// Blocks that a request takes at most at once.
  long need(Request request) {
    return needs.most(request);
  }

  private void expire(long nowNanos) {
    for (Waiting late = queue.expired(nowNanos); late != null; late = queue.expired(nowNanos)) {
      queue.remove(late);
      endUnstarted(late, FinishReason.EXPIRED, nowNanos);
    }
  }

  /// Ends a request whose caller does not want it any more.
  void cancel(TokenStream stream, long nowNanos) {
    Waiting waiting = stream.place();
    if (waiting != null) {
      if (!waiting.gone) {
        queue.remove(waiting);
        endWaiting(waiting, FinishReason.CANCELLED, nowNanos);
      }
      return;
    }
    for (int i = 0; i < running.size(); i++) {
      if (running.get(i).stream().equals(stream)) {
        running.get(i).finish(FinishReason.CANCELLED);
      }
    }
  }

  private void endWaiting(Waiting waiting, FinishReason reason, long nowNanos) {
    Sequence sequence = waiting.preempted;
    if (sequence == null) {
      endUnstarted(waiting, reason, nowNanos);
    } else {
      sequence.resume(cache.open());
      sequence.finish(reason);
      end(sequence, nowNanos, null);
    }
  }

  /// Takes the step's results.
  void update(Batch done, StepResult result, long nowNanos) {
    learnRate(done, nowNanos);
    takeResults(done, result, nowNanos);
    retire(nowNanos);
    for (int i = 0; i < done.size(); i++) {
      if (awaitsPruning(done.sequence(i))) {
        prune(done.sequence(i), nowNanos);
      }
    }
    retire(nowNanos);
  }

  private void takeResults(Batch done, StepResult result, long nowNanos) {
    for (int i = 0; i < done.size(); i++) {
      Sequence sequence = done.sequence(i);
      boolean completed = done.completes(i);
      cache.commit(sequence.table(), sequence.tokens(), done.count(i));
      sequence.tenant().charge(done.count(i));
      if (!completed) {
        continue;
      }
      if (!config.useCache()) {
        cache.truncate(sequence.table(), 0);
      }
      RuntimeException failure = result.failure(i);
      if (failure != null) {
        fail(sequence, failure, nowNanos);
      } else if (sequence.extras().wantsMean()) {
        sequence.stream().emitEmbedding(sequence.extras().unitMean());
        sequence.finish(FinishReason.LENGTH);
      } else {
        accept(sequence, result.token(i), result.scores(i), nowNanos);
      }
    }
  }

  /// Whether a sequence has come to a pruning: one that goes on, or whose session does.
  private boolean awaitsPruning(Sequence sequence) {
    if (sequence.table().isReleased() || sequence.untilPruned() != 0) {
      return false;
    }
    Session session = sequence.request().session();
    FinishReason reason = sequence.finished();
    return reason == null
        || session != null && !session.isClosed() && reason != FinishReason.CANCELLED;
  }

  /// Prunes a sequence, or makes it give way where there is no room for that.
  private void prune(Sequence sequence, long nowNanos) {
    long before = sequence.plan().removedRows();
    while (pruning().prune(sequence) instanceof Reservation.Insufficient lack) {
      if (sessions.dropOldest(null)) {
        continue;
      }
      Sequence victim = victims.first();
      if (victim.finished() != null) {
        endForgotten(victim, nowNanos);
      } else if (running.size() == 1 && cache.stats().tables() == 1) {
        String message = "a sequence alone lacks blocks to be pruned: " + lack;
        fail(victim, new IllegalStateException(message), nowNanos);
      } else {
        preempt(victim);
      }
      if (victim.equals(sequence)) {
        return;
      }
    }
    prunedRows += sequence.plan().removedRows() - before;
  }

  /// Ends a finished sequence that cannot be pruned for want of room: its session forgets the cache
  /// and prunes it when it is computed again.
  private void endForgotten(Sequence sequence, long nowNanos) {
    running.remove(sequence);
    sequence.tenant().stopped();
    sequence.plan().passed(0);
    end(sequence, nowNanos, null);
    Session session = sequence.request().session();
    if (session != null) {
      sessions.forget(session);
    }
  }

  private void accept(Sequence sequence, int token, @Nullable TokenScores scores, long nowNanos) {
    Request request = sequence.request();
    if (sequence.finished() != null) {
      return;
    }
    if (sequence.stopsAt(token)) {
      sequence.stopped(nowNanos);
      sequence.finish(FinishReason.STOP);
      return;
    }
    sequence.append(token, nowNanos);
    sequence.stream().emit(token, scores);
    try {
      if (sequence.isCompleteAfter(token)) {
        sequence.finish(FinishReason.STOP);
        return;
      }
    } catch (RuntimeException e) {
      fail(sequence, e, nowNanos);
      return;
    }
    if (sequence.generated() >= request.maxTokens() || sequence.length() >= contextTokens) {
      sequence.finish(FinishReason.LENGTH);
    }
  }

  private void fail(Sequence sequence, RuntimeException error, long nowNanos) {
    running.remove(sequence);
    sequence.tenant().stopped();
    sequence.finish(FinishReason.ERROR);
    end(sequence, nowNanos, error);
  }

  /// Ends every running sequence with an error.
  void failAll(Throwable error, long nowNanos) {
    while (!running.isEmpty()) {
      Sequence sequence = running.removeLast();
      sequence.tenant().stopped();
      sequence.finish(FinishReason.ERROR);
      end(sequence, nowNanos, error);
    }
  }

  /// Ends all requests, started or not, with an error, and leaves the cache as it is: the engine
  /// has failed.
  void abandonAll(Throwable error, long nowNanos) {
    for (Waiting waiting = queue.any(); waiting != null; waiting = queue.any()) {
      queue.remove(waiting);
      answer(waiting, FinishReason.ERROR, error, nowNanos);
    }
    for (Sequence sequence : running) {
      sequence.finish(FinishReason.ERROR);
      sequence.stream().finish(outcome(sequence, nowNanos, error));
    }
    running.clear();
  }

  /// Ends all requests, started or not, as cancelled.
  void cancelAll(long nowNanos) {
    for (Waiting waiting = queue.any(); waiting != null; waiting = queue.any()) {
      queue.remove(waiting);
      endWaiting(waiting, FinishReason.CANCELLED, nowNanos);
    }
    running.forEach(sequence -> sequence.finish(FinishReason.CANCELLED));
    retire(nowNanos);
    // What conversations hold becomes cached, so that tiers can keep it.
    sessions.forgetAll();
  }

  private void retire(long nowNanos) {
    for (int i = running.size() - 1; i >= 0; i--) {
      if (running.get(i).finished() != null && !awaitsPruning(running.get(i))) {
        Sequence sequence = running.remove(i);
        sequence.tenant().stopped();
        end(sequence, nowNanos, null);
      }
    }
  }

  private Outcome outcome(Sequence sequence, long nowNanos, @Nullable Throwable error) {
    return sequence.outcome(nowNanos, cache.layout().blockBytes(), rowsPerToken(), error);
  }

  private void end(Sequence sequence, long nowNanos, @Nullable Throwable error) {
    Outcome outcome = outcome(sequence, nowNanos, error);
    Session session = sequence.request().session();
    if (session == null || session.isClosed() || error != null || sequence.isWaiting()) {
      cache.release(sequence.table());
      if (session != null) {
        session.idle();
      }
    } else {
      if (pruning != null) {
        pruning.rest(sequence);
      }
      sessions.keep(session, sequence.table(), sequence.computedTokens());
      session.remember(sequence.plan().history(sequence.tokens(), sequence.table().length()));
    }
    sequence.stream().finish(outcome);
  }
}
