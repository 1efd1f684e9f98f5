package io.kvasir.kvcache.resp;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierCounters;
import io.kvasir.kvcache.tier.TierStats;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.GetExParams;
import redis.clients.jedis.params.SetParams;

/// Blocks in a store that machines share and that speaks RESP, the protocol of Redis and Valkey.
/// See [RespValue] for what is stored. What goes first when the store is full is the store's own
/// policy (`maxmemory-policy`).
///
/// A store that is away, slow or refuses costs a bounded time and then misses: after three failures
/// in a row it is left alone for half a second, then asked once, and so on with pauses that double
/// up to half a minute.
///
/// [#contains] knows only what this tier has stored, read or asked for lately; [#leading] asks the
/// store, all keys in one exchange. [#load] reads many blocks in one exchange, up to 16 MiB of them
/// at a time, since the client library holds an exchange's answers in Java's heap. A block's bytes
/// are copied once more between heap and segment, and read by the checksum.
public final class RespTier implements Tier {
  private static final System.Logger LOG = System.getLogger(RespTier.class.getName());

  private static final long EXCHANGE_BYTES = 16L << 20;
  private static final int EXCHANGE_KEYS = 1_024;
  private static final int FAILURES = 3;
  private static final long FIRST_PAUSE_NANOS = 500_000_000L;
  private static final long LONGEST_PAUSE_NANOS = 30_000_000_000L;
  private static final long STORE_PAUSE_NANOS = 5_000_000_000L;
  private static final int SEEN_KEYS = 1 << 16;
  private static final long SEEN_NANOS = 60_000_000_000L;

  private final RespTierConfig config;
  private final RespValue format;
  private final String prefix;
  private final RespConnections connections;
  private final CircuitBreaker breaker =
      new CircuitBreaker(FAILURES, FIRST_PAUSE_NANOS, LONGEST_PAUSE_NANOS, System::nanoTime);
  private final SeenKeys seen;
  private final TierCounters counters = new TierCounters();
  private volatile long noStoreUntil = System.nanoTime();
  private volatile boolean closed;

  /// Does not connect yet: a store that is away now may come later.
  ///
  /// @throws IOException where the authority's certificate cannot be used
  public RespTier(RespTierConfig config) throws IOException {
    this.config = config;
    this.format = new RespValue(config.blockBytes(), config.fingerprint());
    this.prefix = format.prefix();
    this.connections = new RespConnections(config);
    int ttl = config.limits().ttlSeconds();
    long age = ttl == 0 ? SEEN_NANOS : Math.min(SEEN_NANOS, ttl * 500_000_000L);
    this.seen = new SeenKeys(SEEN_KEYS, age, System::nanoTime);
  }

  @Override
  public String name() {
    return "shared";
  }

  /// Whether the store had the block within the last minute, as far as this tier saw.
  @Override
  public boolean isShared() {
    return true;
  }

  @Override
  public boolean contains(BlockKey key) {
    return seen.contains(key) && !breaker.isOpen();
  }

  @Override
  public int leading(List<BlockKey> keys) {
    int held = 0;
    while (held < keys.size()) {
      List<BlockKey> some = keys.subList(held, Math.min(keys.size(), held + EXCHANGE_KEYS));
      int found = exchange(jedis -> leading(jedis, some), 0);
      held += found;
      if (found < some.size()) {
        break;
      }
    }
    return held;
  }

  /// Asks first whether the store has the block, which costs little beside sending it.
  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    requireBlock(bytes);
    if (closed || System.nanoTime() - noStoreUntil < 0) {
      return false;
    }
    if (contains(key)) {
      return true;
    }
    long start = System.nanoTime();
    boolean held = exchange(jedis -> store(jedis, key, bytes), false);
    if (held) {
      seen.add(key);
      counters.stored(System.nanoTime() - start);
    }
    return held;
  }

  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    for (int i = 0; i < keys.size(); i++) {
      requireBlock(into.get(i));
    }
    int perExchange = Math.clamp(EXCHANGE_BYTES / format.bytes(), 1, EXCHANGE_KEYS);
    long start = System.nanoTime();
    int done = 0;
    while (done < keys.size()) {
      int from = done;
      int to = Math.min(keys.size(), from + perExchange);
      List<BlockKey> some = keys.subList(from, to);
      done += exchange(jedis -> load(jedis, some, into.subList(from, to)), 0);
      if (done < to) {
        break;
      }
    }
    counters.hit(done, System.nanoTime() - start);
    counters.miss(keys.size() - done);
    return done;
  }

  /// Blocks and bytes are those that the store had within the last minute as far as this tier saw;
  /// the capacity is the store's own business.
  @Override
  public TierStats stats() {
    long blocks = seen.size();
    return counters.stats(blocks, blocks * format.bytes(), Long.MAX_VALUE);
  }

  @Override
  public void verify() {
    if (seen.size() > SEEN_KEYS) {
      throw new IllegalStateException(
          "%d keys are remembered instead of at most %d".formatted(seen.size(), SEEN_KEYS));
    }
  }

  @Override
  public void close() {
    closed = true;
    connections.close();
  }

  private int leading(Jedis jedis, List<BlockKey> keys) {
    List<Response<Boolean>> answers = new ArrayList<>(keys.size());
    try (Pipeline pipeline = jedis.pipelined()) {
      for (BlockKey key : keys) {
        answers.add(pipeline.exists(nameOf(key)));
      }
      pipeline.sync();
    }
    int held = 0;
    while (held < answers.size() && answers.get(held).get()) {
      seen.add(keys.get(held++));
    }
    return held;
  }

  private boolean store(Jedis jedis, BlockKey key, MemorySegment bytes) {
    byte[] name = nameOf(key);
    int ttl = config.limits().ttlSeconds();
    boolean present = (ttl > 0 ? jedis.expire(name, ttl) : jedis.touch(name)) == 1;
    if (present) {
      return true;
    }
    SetParams parameters = ttl > 0 ? SetParams.setParams().ex(ttl) : SetParams.setParams();
    try {
      return "OK".equals(jedis.set(name, format.encode(key, bytes), parameters));
    } catch (JedisDataException e) {
      // Full, read-only or unable to save: it may well answer reads.
      noStoreUntil = System.nanoTime() + STORE_PAUSE_NANOS;
      failed(e);
      return false;
    }
  }

  private int load(Jedis jedis, List<BlockKey> keys, List<MemorySegment> into) {
    List<byte[]> values = values(jedis, keys);
    for (int i = 0; i < keys.size(); i++) {
      byte[] value = values.get(i);
      BlockKey key = keys.get(i);
      if (value == null) {
        seen.remove(key);
        return i;
      }
      if (!format.decode(value, key, into.get(i))) {
        seen.remove(key);
        jedis.unlink(nameOf(key));
        failed(new IOException("the value of " + key.hex() + " is damaged; removed it"));
        return i;
      }
      seen.add(key);
    }
    return keys.size();
  }

  private List<byte[]> values(Jedis jedis, List<BlockKey> keys) {
    int ttl = config.limits().ttlSeconds();
    if (ttl == 0) {
      return jedis.mget(keys.stream().map(this::nameOf).toArray(byte[][]::new));
    }
    List<Response<byte[]>> answers = new ArrayList<>(keys.size());
    try (Pipeline pipeline = jedis.pipelined()) {
      for (BlockKey key : keys) {
        answers.add(pipeline.getEx(nameOf(key), GetExParams.getExParams().ex(ttl)));
      }
      pipeline.sync();
    }
    List<byte[]> values = new ArrayList<>(keys.size());
    for (Response<byte[]> answer : answers) {
      values.add(answer.get());
    }
    return values;
  }

  /// Does something with a connection.
  ///
  /// @param otherwise the answer where the store is left alone or fails
  private <T> T exchange(Function<Jedis, T> action, T otherwise) {
    if (closed || !breaker.allows()) {
      return otherwise;
    }
    boolean interrupted = Thread.interrupted(); // Else waiting for a connection would end at once.
    Jedis jedis = null;
    try {
      jedis = connections.take();
      if (jedis == null) {
        throw new IOException("all connections are busy");
      }
      T answer = action.apply(jedis);
      connections.give(jedis);
      breaker.succeeded();
      return answer;
    } catch (IOException | RuntimeException e) {
      // The client library throws its own unchecked exceptions, and others for answers that are no
      // RESP; after any of them the connection may be in the middle of an answer.
      if (jedis != null) {
        connections.drop(jedis);
      }
      seen.clear();
      breaker.failed();
      failed(e);
      return otherwise;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private byte[] nameOf(BlockKey key) {
    return (prefix + key.hex()).getBytes(StandardCharsets.US_ASCII);
  }

  private void requireBlock(MemorySegment bytes) {
    if (bytes.byteSize() != config.blockBytes()) {
      throw new IllegalArgumentException(
          "a block has %d bytes, not %d".formatted(config.blockBytes(), bytes.byteSize()));
    }
  }

  private void failed(@Nullable Exception cause) {
    if (counters.failed()) {
      LOG.log(
          Level.WARNING,
          "event=tier-failure tier=shared store={0} cause=\"{1}\"",
          config.place(),
          cause);
    }
  }
}
