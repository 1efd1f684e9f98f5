package io.kvasir.bench;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCache.Forked;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// What the cache's own bookkeeping costs, without bytes: a prompt of 100,000 tokens, in a tree
/// that also holds [#OTHERS] other prompts of that length.
///
/// `lookupRelease` finds the whole prompt and lets go of it. `commitToken` is the per-token path of
/// decoding: room for one token, then the token; every `blockTokens`-th fills a block, which joins
/// the tree and, since the pool is full, needs an eviction. `turnover` is a prompt that is not
/// known: lookup, room by evicting as many blocks, commit, release. `evict` is only making that
/// room. `-prof gc` shows bytes per operation; those of `commitToken` are the table of the next
/// sequence, every 4096 tokens.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class CacheBenchmark {
  private static final int TOKENS = 100_000;
  private static final int OTHERS = 4;
  private static final int DECODED_TOKENS = 4096;

  @Param("64")
  int blockTokens;

  @Param({"lru"})
  String policy;

  private final SplittableRandom random = new SplittableRandom(1);
  private KvCache cache;
  private int[] prompt;
  private int[] fresh;
  private int[] answer;
  private BlockTable held;
  private BlockTable decoding;

  @Setup(Level.Trial)
  public void fill() {
    KvLayout layout =
        KvLayout.of(List.of(new LayerKv(1, 16, 16, 0, KvFormat.F16, KvFormat.F16)), blockTokens);
    // Two prompts more than are kept: one is held, one is being computed.
    int blocks = (OTHERS + 3) * (TOKENS / blockTokens + 1);
    KvCacheConfig config =
        new KvCacheConfig(layout, blocks).withPolicy(EvictionPolicies.named(policy));
    cache = new KvCache(config, new NullStorage(layout.blockBytes(), blocks));
    cache.adopt();
    fresh = tokens(TOKENS);
    answer = tokens(DECODED_TOKENS);
    for (int i = 0; i < OTHERS + 3; i++) {
      run(tokens(TOKENS));
    }
    prompt = tokens(TOKENS);
    run(prompt);
    held = cache.lookup("", prompt);
    decoding = cache.lookup("", answer);
  }

  private int[] tokens(int count) {
    return random.ints(count, 0, 128_000).toArray();
  }

  private void run(int[] tokens) {
    BlockTable table = cache.lookup("", tokens);
    Reservation room = cache.reserve(table, tokens.length - table.length());
    if (!(room instanceof Reservation.Granted)) {
      throw new IllegalStateException(String.valueOf(room));
    }
    cache.commit(table, tokens, tokens.length - table.length());
    cache.release(table);
  }

  @Benchmark
  public int lookupRelease() {
    BlockTable table = cache.lookup("", prompt);
    int found = table.length();
    cache.release(table);
    return found;
  }

  @Benchmark
  public int forkRelease() {
    if (!(cache.fork(held) instanceof Forked.Table(BlockTable fork))) {
      throw new IllegalStateException("no room for a fork");
    }
    int length = fork.length();
    cache.release(fork);
    return length;
  }

  @Benchmark
  public int commitToken() {
    if (decoding.length() == DECODED_TOKENS) {
      cache.release(decoding);
      answer[0] = random.nextInt();
      decoding = cache.lookup("", answer);
    }
    cache.reserve(decoding, 1);
    cache.commit(decoding, answer, 1);
    return decoding.length();
  }

  @Benchmark
  public int turnover() {
    fresh[0] = random.nextInt();
    run(fresh);
    return fresh[0];
  }

  @Benchmark
  public int evict(FullPool pool) {
    Reservation room = cache.reserve(pool.table, TOKENS);
    return room instanceof Reservation.Granted ? pool.table.reserved() : 0;
  }

  /// Gives back what an eviction made room for, and fills it with a prompt that stays cached.
  @State(Scope.Thread)
  public static class FullPool {
    private BlockTable table;

    @Setup(Level.Invocation)
    public void fill(CacheBenchmark bench) {
      bench.turnover();
      table = bench.cache.open();
    }

    @TearDown(Level.Invocation)
    public void free(CacheBenchmark bench) {
      if (table.reserved() < TOKENS) {
        throw new IllegalStateException("no room was made: " + table);
      }
      bench.cache.release(table);
    }
  }

  @Setup(Level.Iteration)
  public void verify() {
    cache.adopt();
    cache.verify();
  }
}
