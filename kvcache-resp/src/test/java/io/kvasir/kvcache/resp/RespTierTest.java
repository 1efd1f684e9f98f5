package io.kvasir.kvcache.resp;

import static io.kvasir.kvcache.contract.TierContract.BLOCK;
import static io.kvasir.kvcache.contract.TierContract.assertLoads;
import static io.kvasir.kvcache.contract.TierContract.block;
import static io.kvasir.kvcache.contract.TierContract.key;
import static io.kvasir.kvcache.contract.TierContract.load;
import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.BlockOracle;
import io.kvasir.kvcache.contract.TierContract;
import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.clients.jedis.Jedis;

/// Against one real server that is emptied before each test.
class RespTierTest implements TierContract {
  @TempDir static Path folder;
  private static RedisServer server;

  @BeforeAll
  static void start() throws Exception {
    server = RedisServer.start(folder);
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.close();
    }
  }

  @BeforeEach
  void empty() {
    try (Jedis direct = server.direct()) {
      direct.flushAll();
      direct.configSet("maxmemory", "0");
    }
  }

  @Override
  public Tier openTier(int blocks) throws IOException {
    return tier("model-a");
  }

  private static RespTier tier(String fingerprint) throws IOException {
    return new RespTier(RespTierConfig.of(server.uri(), BLOCK, fingerprint));
  }

  private static RespTier tier(RespLimits limits) throws IOException {
    return new RespTier(new RespTierConfig(server.uri(), BLOCK, "model-a", null, limits));
  }

  private static byte[] name(BlockKey key) {
    return (new RespValue(BLOCK, "model-a").prefix() + key.hex())
        .getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void twoTiers_sameFingerprint_shareBlocks() throws IOException {
    try (RespTier first = tier("model-a");
        RespTier second = tier("model-a");
        RespTier other = tier("model-b")) {
      for (int number = 0; number < 5; number++) {
        first.store(key(number), block(number));
      }
      List<BlockKey> keys = List.of(key(0), key(1), key(2), key(3), key(4), key(5));
      assertThat(second.contains(key(0))).as("not seen yet").isFalse();
      assertThat(second.leading(keys)).isEqualTo(5);
      assertThat(second.contains(key(0))).isTrue();
      assertThat(load(second, keys)).isEqualTo(5);
      assertThat(other.leading(keys)).isZero();
      assertThat(load(other, keys)).isZero();
      assertThat(other.stats().failures()).isZero();
    }
  }

  @Test
  void store_blockThatTheStoreHas_isNotSentAgain() throws IOException {
    try (RespTier first = tier("model-a");
        RespTier second = tier("model-a");
        Jedis direct = server.direct()) {
      first.store(key(1), block(1));
      long before = bytesIn(direct);
      assertThat(second.store(key(1), block(1))).isTrue();
      assertThat(bytesIn(direct) - before).isLessThan(BLOCK);
    }
  }

  private static long bytesIn(Jedis direct) {
    return direct
        .info("stats")
        .lines()
        .filter(line -> line.startsWith("total_net_input_bytes:"))
        .mapToLong(line -> Long.parseLong(line.substring(line.indexOf(':') + 1).strip()))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void loadAndLeading_manyBlocks_areFewExchanges() throws IOException {
    try (RespTier tier = tier("model-a");
        Jedis direct = server.direct()) {
      List<BlockKey> keys = new ArrayList<>();
      for (int number = 0; number < 100; number++) {
        keys.add(key(number));
        tier.store(key(number), block(number));
      }
      direct.configResetStat();
      assertThat(load(tier, keys)).isEqualTo(100);
      assertThat(direct.info("commandstats")).contains("cmdstat_mget:calls=1,");
      assertThat(tier.leading(keys)).isEqualTo(100);
      assertThat(direct.info("commandstats")).contains("cmdstat_exists:calls=100,");
    }
  }

  @Test
  void load_anyDamageOnTheServer_isAMissAndTheValueIsRemoved() throws IOException {
    SplittableRandom random = new SplittableRandom(TierContract.seed());
    try (RespTier tier = tier("model-a");
        Jedis direct = server.direct()) {
      long failures = 0;
      for (int i = 0; i < 300; i++) {
        assertThat(tier.store(key(1), block(1))).isTrue();
        byte[] name = name(key(1));
        byte[] value = direct.get(name);
        int bit = i < 200 ? random.nextInt(64 * 8) : random.nextInt(value.length * 8);
        switch (i % 8) {
          case 6 -> value = Arrays.copyOf(value, random.nextInt(value.length));
          case 7 -> value = Arrays.copyOf(value, value.length + 1);
          default -> value[bit / 8] ^= (byte) (1 << bit % 8);
        }
        direct.set(name, value);
        assertThat(load(tier, List.of(key(1)))).as("bit " + bit).isZero();
        assertThat(tier.stats().failures()).isEqualTo(++failures);
        assertThat(tier.contains(key(1))).isFalse();
        assertThat(direct.exists(name)).isFalse();
      }
    }
  }

  @Test
  void load_anotherBlocksValue_isAMiss() throws IOException {
    try (RespTier tier = tier("model-a");
        Jedis direct = server.direct()) {
      tier.store(key(1), block(1));
      direct.rename(name(key(1)), name(key(2)));
      assertThat(load(tier, List.of(key(2)))).isZero();
      assertThat(tier.stats().failures()).isEqualTo(1);
    }
  }

  @Test
  void load_valueOfAnotherType_isAMiss() throws IOException {
    try (RespTier tier = tier("model-a");
        Jedis direct = server.direct()) {
      direct.lpush(name(key(1)), new byte[] {1});
      assertThat(load(tier, List.of(key(1)))).isZero();
      tier.store(key(2), block(2));
      assertLoads(tier, 2);
    }
  }

  @Test
  void ttl_storedAndRead_isRefreshed() throws Exception {
    RespLimits limits = new RespLimits(500, 1_000, 2, 1 << 20, 100);
    try (RespTier tier = tier(limits);
        Jedis direct = server.direct()) {
      tier.store(key(1), block(1));
      assertThat(direct.ttl(name(key(1)))).isBetween(50L, 100L);
      direct.expire(name(key(1)), 20);
      assertLoads(tier, 1);
      assertThat(direct.ttl(name(key(1)))).isBetween(50L, 100L);
      direct.pexpire(name(key(1)), 1);
      TimeUnit.MILLISECONDS.sleep(20);
      assertThat(load(tier, List.of(key(1)))).isZero();
      assertThat(tier.stats().failures()).isZero();
    }
  }

  @Test
  void store_serverFull_isRefusedAndReadsGoOn() throws IOException {
    try (RespTier tier = tier("model-a");
        Jedis direct = server.direct()) {
      tier.store(key(1), block(1));
      direct.configSet("maxmemory", "1");
      assertThat(tier.store(key(2), block(2))).isFalse();
      assertThat(tier.store(key(3), block(3))).isFalse();
      assertThat(tier.stats().failures()).as("asked once, then left alone").isEqualTo(1);
      assertLoads(tier, 1);
    }
  }

  @Test
  void largeBlocks_manyAtOnce_comeBack() throws IOException {
    int bytes = 8 << 20;
    try (RespTier tier = new RespTier(RespTierConfig.of(server.uri(), bytes, "large"))) {
      List<BlockKey> keys = new ArrayList<>();
      List<MemorySegment> into = new ArrayList<>();
      for (int number = 0; number < 5; number++) {
        keys.add(key(number));
        into.add(BlockOracle.empty(bytes));
        assertThat(tier.store(key(number), BlockOracle.block(key(number), bytes))).isTrue();
      }
      assertThat(tier.load(keys, into)).isEqualTo(5);
      for (int number = 0; number < 5; number++) {
        assertThat(BlockOracle.isBlockOf(keys.get(number), into.get(number))).isTrue();
      }
    }
  }

  @Test
  void serverDead_everythingMissesAtOnce() throws IOException {
    URI nobody = URI.create("redis://127.0.0.1:" + RedisServer.freePort());
    try (RespTier tier = new RespTier(RespTierConfig.of(nobody, BLOCK, "m"))) {
      long start = System.nanoTime();
      for (int number = 0; number < 1_000; number++) {
        assertThat(tier.store(key(number), block(number))).isFalse();
        assertThat(load(tier, List.of(key(number)))).isZero();
        assertThat(tier.leading(List.of(key(number)))).isZero();
      }
      assertThat(System.nanoTime() - start).isLessThan(5_000_000_000L);
      assertThat(tier.stats().failures()).isBetween(3L, 10L);
    }
  }
}
