package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What happens to requests when the engine, the cache or a tier has a bug, and when callers go
/// away. Numbers are those of the table in `docs/behaviours.md`.
@Timeout(60)
final class EngineFaultTest {
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT
          .withBlockTokens(16)
          .withKvFormat(KvRecipe.of(KvFormat.F32))
          .withCacheBytes(1 << 20);

  private final FaultyTier tier = new FaultyTier();

  private Engine open(Backend backend, EngineConfig config) {
    return Engine.open(
        ReferenceModels.model("llama-gqa"),
        backend,
        config.withTiers(List.of((fingerprint, bytes) -> tier)));
  }

  private static Request request(int length, int count) {
    int[] tokens = new int[length];
    Arrays.setAll(tokens, i -> i * 37 % 300 + 3);
    return new Request(tokens, count, SamplingOptions.GREEDY, Set.of());
  }

  private static int drain(TokenStream stream) throws InterruptedException {
    int tokens = 0;
    while (stream.advance()) {
      tokens++;
    }
    return tokens;
  }

  private static void checkEmpty(Engine engine) {
    assertThat(engine.stats().running() + engine.stats().waiting()).isZero();
    assertThat(engine.cacheStats().heldBlocks()).isZero();
    assertThat(engine.cacheStats().tables()).isZero();
    engine.verify();
  }

  /// Behaviour 29.
  @Test
  void step_fails_endsItsRequestsWithTheErrorAndTheEngineGoesOn() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG)) {
      tier.lookupFails = true;
      TokenStream failed = engine.submit(request(60, 5));
      assertThat(drain(failed)).isZero();
      assertThat(failed.outcome().reason()).isEqualTo(FinishReason.ERROR);
      assertThat(failed.outcome().error()).hasMessageContaining("a bug in its lookup");
      tier.lookupFails = false;
      assertThat(engine.isRunning()).isTrue();
      assertThat(drain(engine.submit(request(60, 5)))).isEqualTo(5);
      checkEmpty(engine);
    }
  }

  /// Behaviour 29.
  @Test
  void engine_dies_endsEveryStreamWithTheErrorAndTakesNoMore() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG.withSequences(2))) {
      List<TokenStream> streams = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        streams.add(engine.submit(request(60, 400)));
      }
      assertThat(streams.getFirst().advance()).isTrue();
      tier.statsFail = true;
      for (TokenStream stream : streams) {
        drain(stream);
        assertThat(stream.outcome().reason()).isEqualTo(FinishReason.ERROR);
        assertThat(stream.outcome().error()).hasMessageContaining("a bug in its figures");
      }
      assertThat(engine.isRunning()).isFalse();
      assertThatThrownBy(() -> engine.submit(request(60, 5)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("has failed");
      assertThatThrownBy(engine::stats).isInstanceOf(IllegalStateException.class);
      assertThat(engine.snapshot().cache().capacityBlocks()).isPositive();
    }
  }

  /// Behaviours 23 and 25.
  @Test
  void cancel_whileATierLoads_freesEverythingOnceTheLoadIsOver() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG)) {
      assertThat(drain(engine.submit(request(200, 3)))).isEqualTo(3);
      while (tier.stats().blocks() < 12) {
        Thread.onSpinWait();
      }
      engine.resetPrefixCache();
      CountDownLatch gate = new CountDownLatch(1);
      tier.gate = gate;
      TokenStream stream = engine.submit(request(200, 3));
      tier.loading.await();
      stream.cancel();
      assertThat(drain(stream)).isZero();
      assertThat(stream.outcome().reason()).isEqualTo(FinishReason.CANCELLED);
      assertThat(engine.stats().running()).isZero();
      assertThat(engine.cacheStats().heldBlocks()).as("leased to the load").isPositive();
      engine.verify();
      gate.countDown();
      while (engine.cacheStats().heldBlocks() > 0) {
        Thread.onSpinWait();
      }
      checkEmpty(engine);
      TokenStream again = engine.submit(request(200, 3));
      assertThat(drain(again)).isEqualTo(3);
      assertThat(again.outcome().cachedTokens()).as("from the tier").isEqualTo(192);
    }
  }

  /// Behaviour 23.
  @Test
  void cancel_whileQueued_isNeverComputed() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG.withSequences(1))) {
      TokenStream running = engine.submit(request(20, 200));
      assertThat(running.advance()).isTrue();
      long lookups = engine.cacheStats().counters().lookups();
      TokenStream queued = engine.submit(request(90, 5));
      queued.cancel();
      assertThat(drain(queued)).isZero();
      assertThat(queued.outcome().reason()).isEqualTo(FinishReason.CANCELLED);
      running.cancel();
      drain(running);
      assertThat(engine.cacheStats().counters().lookups()).isEqualTo(lookups);
      checkEmpty(engine);
    }
  }

  /// Behaviour 23.
  @Test
  void cancel_inPrefill_stopsBeforeThePromptIsComputed() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG.withStepTokens(1))) {
      TokenStream stream = engine.submit(request(400, 5));
      while (engine.cacheStats().tokens() < 5) {
        Thread.onSpinWait();
      }
      stream.cancel();
      assertThat(drain(stream)).isZero();
      assertThat(stream.outcome().reason()).isEqualTo(FinishReason.CANCELLED);
      checkEmpty(engine);
      Thread.sleep(50);
      long computed = engine.snapshot().steps().tokens();
      assertThat(computed).isBetween(5L, 399L);
      Thread.sleep(50);
      assertThat(engine.snapshot().steps().tokens()).as("no further compute").isEqualTo(computed);
    }
  }

  /// Behaviour 9.
  @Test
  void reset_whileARequestRunsOrWaits_isRefused() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG)) {
      TokenStream stream = engine.submit(request(60, 400));
      assertThat(stream.advance()).isTrue();
      assertThat(engine.resetPrefixCache()).isEqualTo(-1);
      stream.cancel();
      drain(stream);
      assertThat(engine.resetPrefixCache()).isPositive();
      assertThat(engine.cacheStats().freeBlocks()).isEqualTo(engine.cacheStats().capacityBlocks());
    }
  }

  /// Behaviour 21.
  @Test
  void submit_largerThanThePool_isRefusedAtOnce() {
    try (Backend backend = new ReferenceBackend();
        Engine probe = open(backend, CONFIG);
        Engine engine = open(backend, CONFIG.withCacheBytes(5 * probe.layout().blockBytes()))) {
      assertThatThrownBy(() -> engine.submit(request(60, 30)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("needs up to 6 cache blocks and the cache has 5");
      assertThat(engine.stats().waiting()).isZero();
    }
  }

  /// Behaviour 11.
  @Test
  void auditor_ofABrokenCache_countsWhatItFinds() {
    LayerKv layer = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    KvLayout layout = KvLayout.of(List.of(layer), 16);
    KvCache cache =
        new KvCache(
            new KvCacheConfig(layout, 10).withPolicy(tree -> new Forgetful()),
            new NullStorage(layout.blockBytes(), 10));
    Auditor auditor = new Auditor(cache, 1);
    auditor.look(System.nanoTime() + 10);
    assertThat(auditor.audits()).isEqualTo(new EngineSnapshot.Audits(1, 0));
    int[] tokens = request(40, 1).prompt();
    var table = cache.lookup("", tokens);
    cache.reserve(table, 40);
    cache.commit(table, tokens, 40);
    cache.release(table);
    auditor.look(System.nanoTime() + 10);
    assertThat(auditor.audits()).isEqualTo(new EngineSnapshot.Audits(2, 1));
    Auditor never = new Auditor(cache, 0);
    never.look(Long.MAX_VALUE / 2);
    assertThat(never.audits().runs()).isZero();
  }

  /// Names no victim, though there are some.
  private static final class Forgetful implements EvictionPolicy {
    @Override
    public void onInsert(int node) {}

    @Override
    public void onHit(int node) {}

    @Override
    public void onAcquire(int node) {}

    @Override
    public void onRelease(int node) {}

    @Override
    public void onRemove(int node) {}

    @Override
    public int victim() {
      return NONE;
    }
  }
}
