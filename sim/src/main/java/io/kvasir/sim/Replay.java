package io.kvasir.sim;

import io.kvasir.kvcache.BlockTable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Set;
import java.util.function.Consumer;

/// Replays a trace through the production cache.
public final class Replay {
  private static final int WARM_UP_REQUESTS = 3_000;

  private final Trace trace;
  private final ReplayConfig config;
  private final TierChain tiers;
  private final SimulatedCache cache;
  private final long[] tierHits;
  private final double[] tierTokens;
  private long now;
  private int current;
  private long promptBlocks;
  private long hitBlocks;
  private double savedTokens;

  private Replay(Trace trace, ReplayConfig config, NextUse future) {
    this.trace = trace;
    this.config = config;
    tiers = new TierChain(config.tiers(), trace.distinctBlocks());
    tierHits = new long[config.tiers().size()];
    tierTokens = new double[tierHits.length];
    cache =
        new SimulatedCache(
            trace,
            size(),
            SimulatedPolicies.named(config.policy(), future, () -> current),
            () -> now,
            tiers::demote);
  }

  private SimulatedCache.Size size() {
    int kept = config.policy().equals(SimulatedPolicies.NO_CACHE) ? 0 : config.blocks();
    // One at a time, what is cached stays beside the request that runs.
    boolean alone = config.mode() == ReplayConfig.Mode.ONE_AT_A_TIME;
    int room = alone ? Math.max(1, trace.largestRequest()) : 0;
    // A pool beyond all that could ever be in it only costs memory.
    long most = alone ? trace.distinctBlocks() : trace.totalBlocks();
    int blocks = (int) Math.min(config.blocks(), Math.max(1, most));
    return new SimulatedCache.Size(blocks + room, Math.min(kept, blocks));
  }

  /// Replays `trace` once for each of `configs`, in their order.
  ///
  /// @param begun is told each one when it begins
  /// @throws IllegalArgumentException where a policy's name is not known
  public static List<ReplayResult> all(
      Trace trace, List<ReplayConfig> configs, Consumer<ReplayConfig> begun) {
    NextUse future = new NextUse(trace);
    Set<String> warm = new HashSet<>();
    List<ReplayResult> results = new ArrayList<>();
    for (ReplayConfig config : configs) {
      begun.accept(config);
      if (warm.add(config.policy())) {
        warmUp(trace, config, future);
      }
      results.add(one(trace, config, future));
    }
    return results;
  }

  /// Replays a part for nothing, so that the policy's code is compiled when its time is taken.
  private static void warmUp(Trace trace, ReplayConfig config, NextUse future) {
    Replay replay = new Replay(trace, config, future);
    replay.oneAtATime(Math.min(trace.requestCount(), WARM_UP_REQUESTS));
    replay.cache.close();
  }

  /// Replays `trace` once.
  public static ReplayResult one(Trace trace, ReplayConfig config) {
    return one(trace, config, new NextUse(trace));
  }

  static ReplayResult one(Trace trace, ReplayConfig config, NextUse future) {
    Replay replay = new Replay(trace, config, future);
    try (SimulatedCache cache = replay.cache) {
      ReplayResult.Load load =
          switch (config.mode()) {
            case ONE_AT_A_TIME -> replay.oneAtATime(trace.requestCount());
            case OVERLAPPING -> replay.overlapping();
          };
      cache.verify();
      return replay.result(load);
    }
  }

  private ReplayResult result(ReplayResult.Load load) {
    List<Long> hits = new ArrayList<>();
    double saved = savedTokens / config.rates().prefillTokensPerSecond();
    for (int i = 0; i < tierHits.length; i++) {
      hits.add(tierHits[i]);
      saved += tierTokens[i] / config.rates().prefillTokensPerSecond();
      saved -= tierTokens[i] / config.tiers().get(i).tokensPerSecond();
    }
    ObservedPolicy policy = cache.policy();
    return new ReplayResult(
        config,
        promptBlocks,
        hitBlocks,
        hits,
        policy.removed(),
        policy.nanosPerCall(),
        saved,
        load);
  }

  private ReplayResult.Load oneAtATime(int requests) {
    for (int request = 0; request < requests; request++) {
      current = request;
      now = Math.max(now, trace.arrivalNanos(request));
      BlockTable table = cache.open(request);
      if (!cache.reserve(table, request)) {
        throw new IllegalStateException(
            "the pool has room for every request, but not for " + table);
      }
      count(request, table);
      cache.commit(table, request, trace.blockCount(request));
      cache.release(table);
    }
    return ReplayResult.Load.NONE;
  }

  /// Counts a request's hits and returns how many prompt tokens are left to compute.
  private double count(int request, BlockTable table) {
    int prompt = trace.promptBlocks(request);
    int hits = SimulatedCache.hits(table);
    promptBlocks += prompt;
    hitBlocks += hits;
    // The last block of a prompt may be partly filled; so tokens are counted in parts of it.
    double tokensPerBlock = prompt == 0 ? 0 : (double) trace.promptTokens(request) / prompt;
    savedTokens += hits * tokensPerBlock;
    int found = hits;
    while (found < prompt) {
      int tier = tiers.find(trace.block(request, found));
      if (tier < 0) {
        break;
      }
      tierHits[tier]++;
      tierTokens[tier] += tokensPerBlock;
      found++;
    }
    return (prompt - found) * tokensPerBlock;
  }

  // ---- Overlapping requests --------------------------------------------------------------------

  /// Something that happens to a running request: its prompt is computed, then its answer ends.
  private record Event(long nanos, int request, BlockTable table, boolean end)
      implements Comparable<Event> {
    @Override
    public int compareTo(Event other) {
      int order = Long.compare(nanos, other.nanos);
      return order != 0 ? order : Integer.compare(request, other.request);
    }
  }

  private ReplayResult.Load overlapping() {
    PriorityQueue<Event> events = new PriorityQueue<>();
    Queue<Integer> waiting = new ArrayDeque<>();
    Tally tally = new Tally();
    int next = 0;
    while (next < trace.requestCount() || !events.isEmpty()) {
      Event event = events.peek();
      if (event == null || next < trace.requestCount() && trace.arrivalNanos(next) < event.nanos) {
        now = Math.max(now, trace.arrivalNanos(next));
        if (trace.blockCount(next) > config.blocks()) {
          tally.refused++;
        } else {
          waiting.add(next);
        }
        next++;
        if (waiting.size() == 1) {
          startWaiting(waiting, events, tally);
        }
      } else {
        events.remove();
        now = event.nanos;
        proceed(event, events, tally);
        if (event.end) {
          startWaiting(waiting, events, tally);
        }
      }
    }
    return new ReplayResult.Load(
        tally.mostRunning, tally.refused, tally.waited, tally.waitNanos / 1e9);
  }

  private static final class Tally {
    private int running;
    private int mostRunning;
    private int refused;
    private int waited;
    private double waitNanos;
  }

  private void proceed(Event event, Queue<Event> events, Tally tally) {
    int request = event.request;
    if (event.end) {
      cache.commit(event.table, request, trace.blockCount(request));
      cache.release(event.table);
      tally.running--;
    } else {
      cache.commit(event.table, request, trace.promptBlocks(request));
      double seconds = trace.outputTokens(request) / config.rates().decodeTokensPerSecond();
      events.add(new Event(in(seconds), request, event.table, true));
    }
  }

  /// Starts waiting requests in the order of their arrival until one does not fit.
  private void startWaiting(Queue<Integer> waiting, Queue<Event> events, Tally tally) {
    while (!waiting.isEmpty()) {
      int request = waiting.element();
      current = Math.max(current, request);
      BlockTable table = cache.open(request);
      if (!cache.reserve(table, request)) {
        cache.release(table);
        return;
      }
      waiting.remove();
      long wait = now - trace.arrivalNanos(request);
      tally.waited += wait > 0 ? 1 : 0;
      tally.waitNanos += Math.max(0, wait);
      tally.mostRunning = Math.max(tally.mostRunning, ++tally.running);
      double missing = count(request, table);
      double seconds = missing / config.rates().prefillTokensPerSecond();
      events.add(new Event(in(seconds), request, table, false));
    }
  }

  /// The moment `seconds` from now, or the end of time, however slow a server is said to be.
  private long in(double seconds) {
    double nanos = Math.min(seconds * 1e9, 4e18);
    return Math.min(now, Long.MAX_VALUE / 2) + (long) nanos;
  }
}
