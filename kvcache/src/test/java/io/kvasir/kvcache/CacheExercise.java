package io.kvasir.kvcache;

import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.eviction.TenantShares;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.OffloadConfig;
import io.kvasir.kvcache.tier.OffloadStats;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.Tier;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// Random operations on a cache beside a naive model of it, with a content oracle.
///
/// The model is a list of sequences, each with its tokens. What the "model" would compute for a
/// position is a hash of all tokens up to it, so a block that is shared by mistake, freed too early
/// or copied from the wrong place reads back a value that its sequence does not expect. Tokens are
/// drawn from few values, so prefixes meet often; some seeds use a hasher that maps everything to
/// one value. Every third seed has tiers below the cache that fail now and then, and sequences that
/// wait for blocks from there or end while they wait. Pruned sequences have a content of their own
/// from then on, so what they hold must never be found by others.
///
/// Failures are [IllegalStateException]s that name the seed and the operation.
public final class CacheExercise {
  private static final int MOST_TOKENS = 260;

  private static final class Shadow {
    final BlockTable table;
    final String salt;
    long secret;
    @Nullable Promotion promotion;
    int[] tokens = new int[MOST_TOKENS + 200];

    /// What the cache should hold of each position.
    long[] contents = new long[MOST_TOKENS + 200];

    /// Positions before were pruned to [#kept].
    int pruned;

    /// `[layer][head]`, null for layers that are not pruned.
    int[][][] kept = new int[0][][];

    int length;

    /// What positions from here on hold is a function of the sequence and its forks too.
    int ownFrom = Integer.MAX_VALUE;

    long own;

    Shadow(BlockTable table, String salt, long secret) {
      this.table = table;
      this.salt = salt;
      this.secret = secret;
    }

    /// What a model would compute: a function of all tokens up to the position, and of the sequence
    /// itself where it is shared with nobody.
    void compute(int from, int to) {
      for (int i = from; i < to; i++) {
        long hash = i == 0 ? salt.hashCode() * 31L : contents[i - 1];
        long alone = i < ownFrom ? secret : own;
        hash = (hash ^ alone * 0x9e3779b97f4a7c15L ^ tokens[i]) * 0xbf58476d1ce4e5b9L + 1;
        contents[i] = hash ^ hash >>> 29;
      }
    }
  }

  /// @param hitTokens tokens that lookups found
  /// @param promotedBlocks blocks that came back from lower tiers
  /// @param prunings tables that were pruned
  record Outcome(long hitTokens, long promotedBlocks, long prunings) {}

  private final SplittableRandom random;
  private final KvCache cache;
  private final HostStorage storage;
  private final RowModel rows;
  private final List<Shadow> sequences = new ArrayList<>();
  private final List<PrefixPin> pins = new ArrayList<>();
  private final int alphabet;
  private final int blockTokens;
  private long now;
  private long secrets = 1;
  private long hits;
  private long promoted;
  private long prunings;

  private CacheExercise(long seed) {
    random = new SplittableRandom(seed);
    KvLayout layout = layout(random);
    blockTokens = layout.blockTokens();
    int blocks = 6 + random.nextInt(90);
    storage = new HostStorage(layout.blockBytes(), blocks);
    rows = new RowModel(layout, storage);
    List<String> policies = EvictionPolicies.names();
    BlockHasher hasher =
        random.nextInt(4) == 0 ? (parent, tokens, from, count) -> 7 : BlockHasher.DEFAULT;
    KvCacheConfig config =
        new KvCacheConfig(layout, blocks)
            .withPolicy(policy(seed, policies.get(random.nextInt(policies.size()))))
            .withClock(() -> now)
            .withHasher(hasher)
            .withCachedBlocks(random.nextInt(3) == 0 ? random.nextInt(blocks + 1) : blocks);
    cache = seed % 3 == 0 ? new KvCache(config, storage, tiers()) : new KvCache(config, storage);
    alphabet = 1 + random.nextInt(3);
  }

  private static EvictionPolicy.Factory policy(long seed, String name) {
    EvictionPolicy.Factory policy = EvictionPolicies.named(name);
    return seed % 4 == 1 ? TenantShares.of(policy, salt -> salt, Map.of()) : policy;
  }

  private Offloader tiers() {
    int failEvery = random.nextInt(3) * 5;
    List<Tier> tiers =
        random.nextBoolean()
            ? List.of(new MapTier(true, failEvery))
            : List.of(new MapTier(false, 0), new MapTier(true, failEvery));
    long staging = storage.blockBytes() * (1 + random.nextInt(40));
    return new Offloader(tiers, storage, new OffloadConfig("exercise", staging, 0, 1));
  }

  /// Runs one seed.
  ///
  /// @return what happened, to see that the run was worth something
  static Outcome run(long seed, int operations) {
    CacheExercise exercise = new CacheExercise(seed);
    int operation = 0;
    try {
      for (; operation < operations; operation++) {
        exercise.operate();
        exercise.check(operation);
      }
      exercise.end();
    } catch (RuntimeException | AssertionError e) {
      throw new IllegalStateException("seed " + seed + ", operation " + operation + ": " + e, e);
    }
    return new Outcome(exercise.hits, exercise.promoted, exercise.prunings);
  }

  private static KvLayout layout(SplittableRandom random) {
    int blockTokens = random.nextInt(8) == 0 ? 64 : 16;
    LayerKv full = new LayerKv(2, 2, 2, 0, KvFormat.F32, KvFormat.F32);
    LayerKv wide = new LayerKv(3, 2, 2, 0, KvFormat.F32, KvFormat.F32);
    LayerKv narrow = new LayerKv(1, 2, 2, 0, KvFormat.F32, KvFormat.F32);
    int window = 1 + random.nextInt(70);
    LayerKv sliding = new LayerKv(2, 2, 2, window, KvFormat.F32, KvFormat.F32);
    int sinks = 64 * random.nextInt(3);
    int tail = 64 * random.nextInt(2);
    LayerKv sunk = exact(full, 64 + sinks, -1);
    LayerKv tailed = exact(full, sinks, tail);
    LayerKv slidingSunk = exact(sliding, 64, tail);
    return switch (random.nextInt(9)) {
      case 0 -> KvLayout.of(List.of(full), blockTokens);
      case 1 -> KvLayout.of(List.of(full, full, full), blockTokens);
      case 2 -> KvLayout.of(List.of(sliding), blockTokens);
      case 3 -> KvLayout.of(List.of(sunk), blockTokens);
      case 4 -> KvLayout.of(List.of(tailed), blockTokens);
      case 5 -> KvLayout.of(List.of(slidingSunk), blockTokens);
      case 6 -> KvLayout.of(List.of(full, tailed, slidingSunk), blockTokens);
      case 7 -> KvLayout.of(List.of(full, wide, exact(wide, sinks, tail), narrow), blockTokens);
      default -> KvLayout.of(List.of(sliding, full, sliding), blockTokens);
    };
  }

  private static LayerKv exact(LayerKv kv, int sinks, int tail) {
    ExactRows exact = new ExactRows(sinks, tail);
    return new LayerKv(kv.kvHeads(), 2, 2, kv.window(), KvFormat.F32, KvFormat.F32, exact);
  }

  private void operate() {
    now += random.nextInt(1000);
    cache.settle();
    sequences.forEach(CacheExercise::arrived);
    int choice = random.nextInt(1000);
    if (choice < 130 || sequences.isEmpty()) {
      begin();
    } else if (choice < 620) {
      append(pick());
    } else if (choice < 680) {
      fork(pick());
    } else if (choice < 760) {
      truncate(pick());
    } else if (choice < 790) {
      pin(pick());
    } else if (choice < 815) {
      prune(pick());
    } else if (choice < 820) {
      keepAlone(pick());
    } else if (choice < 828 && !pins.isEmpty()) {
      cache.unpin(pins.remove(random.nextInt(pins.size())));
    } else if (choice < 830) {
      cache.reset();
    } else {
      release(sequences.get(random.nextInt(sequences.size())));
    }
  }

  /// A sequence that waits for nothing.
  private Shadow pick() {
    Shadow shadow = sequences.get(random.nextInt(sequences.size()));
    await(shadow);
    return shadow;
  }

  private void await(Shadow shadow) {
    while (shadow.promotion != null) {
      cache.settle();
      arrived(shadow);
      Thread.onSpinWait();
    }
  }

  private static void arrived(Shadow shadow) {
    Promotion promotion = shadow.promotion;
    if (promotion != null && promotion.isSettled()) {
      demand(
          shadow.table.length() == shadow.length + promotion.gainedTokens(),
          "%s gained %d tokens after %d",
          shadow.table,
          promotion.gainedTokens(),
          shadow.length);
      shadow.length = shadow.table.length();
      shadow.compute(0, shadow.length);
      shadow.promotion = null;
    }
  }

  private void begin() {
    if (random.nextInt(8) == 0) {
      sequences.add(new Shadow(cache.open(), "", secrets++));
      return;
    }
    String salt = random.nextInt(5) == 0 ? "other" : "";
    int[] prompt = new int[1 + random.nextInt(MOST_TOKENS - 60)];
    int copied = 0;
    if (!sequences.isEmpty() && random.nextInt(3) > 0) {
      Shadow model = pick();
      copied = Math.min(prompt.length, model.length);
      System.arraycopy(model.tokens, 0, prompt, 0, copied);
    }
    int kept = copied == 0 ? 0 : random.nextInt(copied + 1);
    for (int i = kept; i < prompt.length; i++) {
      prompt[i] = random.nextInt(40) == 0 ? random.nextInt(alphabet + 1) : 0;
    }
    BlockTable table = cache.lookup(salt, prompt);
    demand(table.length() < prompt.length, "the last token of the prompt was matched");
    Shadow shadow = new Shadow(table, salt, 0);
    shadow.length = table.length();
    System.arraycopy(prompt, 0, shadow.tokens, 0, prompt.length);
    shadow.compute(0, shadow.length);
    hits += table.length();
    sequences.add(shadow);
    shadow.promotion =
        random.nextBoolean() ? cache.promote(table, prompt, 0, CacheExercise::nothing) : null;
    shadow.length = table.length();
    if (shadow.promotion == null && random.nextInt(4) > 0) {
      compute(shadow, prompt.length - table.length());
    }
  }

  private static void nothing() {}

  private void append(Shadow shadow) {
    int count = random.nextInt(3) == 0 ? 1 + random.nextInt(60) : 1 + random.nextInt(3);
    count = Math.min(count, MOST_TOKENS - shadow.length);
    for (int i = 0; i < count; i++) {
      shadow.tokens[shadow.length + i] = random.nextInt(40) == 0 ? random.nextInt(alphabet + 1) : 0;
    }
    compute(shadow, count);
  }

  /// Reserves, writes and commits; slots reserved and not committed hold garbage.
  private void compute(Shadow shadow, int count) {
    int available = cache.availableBlocks();
    if (cache.reserve(shadow.table, count)
        instanceof Reservation.Insufficient(int wanted, int most)) {
      demand(wanted > most, "refused %d blocks of %d", wanted, most);
      demand(cache.availableBlocks() >= available, "a refused reservation took blocks");
      return;
    }
    int written = random.nextInt(8) == 0 ? random.nextInt(count + 1) : count;
    shadow.compute(shadow.length, shadow.length + written);
    for (int i = 0; i < count; i++) {
      int position = shadow.length + i;
      write(shadow.table, position, i < written ? shadow.contents[position] : -1);
    }
    cache.commit(shadow.table, shadow.tokens, written);
    shadow.length += written;
  }

  private void fork(Shadow shadow) {
    if (cache.fork(shadow.table) instanceof KvCache.Forked.Table(BlockTable table)) {
      Shadow fork = new Shadow(table, shadow.salt, shadow.secret);
      fork.length = shadow.length;
      fork.pruned = shadow.pruned;
      fork.ownFrom = shadow.ownFrom;
      fork.own = shadow.own;
      fork.kept = shadow.kept;
      System.arraycopy(shadow.tokens, 0, fork.tokens, 0, shadow.length);
      System.arraycopy(shadow.contents, 0, fork.contents, 0, shadow.length);
      sequences.add(fork);
    }
  }

  private void truncate(Shadow shadow) {
    int length = random.nextInt(shadow.length + 1);
    int kept = cache.truncate(shadow.table, length);
    boolean windowed = cache.prefixes().hasWindows();
    demand(kept <= length, "kept %d of %d", kept, length);
    if (shadow.pruned == 0) {
      demand(windowed || kept > length - blockTokens, "kept only %d of %d", kept, length);
    } else if (length < shadow.pruned || windowed && kept < length) {
      demand(kept == 0 && shadow.table.blockCount() == 0, "kept %d pruned", kept);
      shadow.pruned = 0;
    } else {
      demand(kept == length, "kept %d of %d behind the pruned", kept, length);
    }
    shadow.length = kept;
  }

  /// From some position on, computed or not yet, nobody else may find what the sequence holds.
  private void keepAlone(Shadow shadow) {
    if (shadow.ownFrom == Integer.MAX_VALUE) {
      shadow.ownFrom = shadow.length + random.nextInt(3 * blockTokens);
      shadow.own = secrets++;
      cache.shareUpTo(shadow.table, shadow.ownFrom);
    }
  }

  private void pin(Shadow shadow) {
    if (shadow.secret == 0 && !hiddenByReset(shadow)) {
      Duration time = Duration.ofNanos(random.nextInt(100_000));
      pins.add(cache.pin(shadow.table, time, random.nextInt(100)));
    }
  }

  private boolean hiddenByReset(Shadow shadow) {
    try {
      cache.unpin(cache.pin(shadow.table, Duration.ZERO, 0));
      return false;
    } catch (IllegalArgumentException e) {
      return true;
    }
  }

  private void release(Shadow shadow) {
    cache.release(shadow.table);
    sequences.remove(shadow);
  }

  private void prune(Shadow shadow) {
    int blocks = (shadow.length - shadow.pruned) / blockTokens;
    int tokens = shadow.pruned + blockTokens * random.nextInt(blocks + 1);
    if (tokens == 0) {
      return;
    }
    int[][][] kept = rows.choose(random, shadow.pruned, shadow.kept, tokens);
    if (cache.prune(shadow.table, new KeptTokens(tokens, kept))
        instanceof Reservation.Insufficient(int wanted, int most)) {
      demand(wanted > most, "refused %d blocks of %d to prune", wanted, most);
      return;
    }
    shadow.pruned = tokens;
    shadow.kept = kept;
    shadow.secret = secrets++;
    prunings++;
    rows.checkSize(shadow.table, kept, tokens);
  }

  private void write(BlockTable table, int position, long value) {
    for (LayerGroup group : cache.layout().groups()) {
      if (position < group.limit()) {
        rows.write(table, group, position, value);
      }
    }
  }

  private void check(int operation) {
    cache.verify();
    if (operation % 16 == 0) {
      ViewCheck.check(cache, pins);
      sequences.forEach(this::checkContent);
    } else if (!sequences.isEmpty()) {
      checkContent(sequences.get(random.nextInt(sequences.size())));
    }
  }

  private void checkContent(Shadow shadow) {
    BlockTable table = shadow.table;
    if (shadow.promotion != null) {
      return;
    }
    demand(table.length() == shadow.length, "%s should have %d tokens", table, shadow.length);
    for (LayerGroup group : cache.layout().groups()) {
      int end = Math.min(shadow.length, group.limit());
      int first = group.isFull() ? shadow.pruned : group.firstVisible(shadow.length);
      for (int p = first; p < end; p++) {
        demand(
            rows.holds(table, group, p, shadow.contents[p]),
            "position %d of group %d of %s holds another prefix's content, tokens %s",
            p,
            group.index(),
            table,
            Arrays.toString(Arrays.copyOf(shadow.tokens, p + 1)));
      }
    }
    rows.checkPruned(table, shadow.kept, shadow.pruned, shadow.contents);
  }

  private void end() {
    sequences.forEach(this::await);
    sequences.forEach(shadow -> cache.release(shadow.table));
    while (cache.stats().tables() > 0) {
      cache.settle();
    }
    cache.verify();
    OffloadStats offload = cache.offloadStats();
    promoted = offload == null ? 0 : offload.promotedBlocks();
    cache.reset();
    cache.verify();
    KvCacheStats stats = cache.stats();
    demand(stats.freeBlocks() == stats.capacityBlocks(), "blocks leaked: %s", stats);
    cache.close();
  }

  private static void demand(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalStateException(message.formatted(values));
    }
  }

  /// Runs seeds `from` to `to - 1`; ends with an exception at the first that fails.
  public static void main(String[] args) {
    long hits = 0;
    long promoted = 0;
    long prunings = 0;
    for (long seed = Long.parseLong(args[0]); seed < Long.parseLong(args[1]); seed++) {
      Outcome outcome = run(seed, Integer.parseInt(args[2]));
      hits += outcome.hitTokens();
      promoted += outcome.promotedBlocks();
      prunings += outcome.prunings();
    }
    System.out.println(
        "hit tokens " + hits + ", promoted blocks " + promoted + ", prunings " + prunings);
  }
}
