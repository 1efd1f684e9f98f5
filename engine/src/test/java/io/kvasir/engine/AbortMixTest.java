package io.kvasir.engine;

import static io.kvasir.engine.StepLoop.request;
import static io.kvasir.engine.StepLoop.tokens;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A million times something happens to a crowded scheduler: requests of tenants and priorities
/// come, run, are aborted while they wait, between steps and during them, expire, are preempted;
/// the cache is reset. Nothing is left behind and every answer that ended by itself is whole.
@Timeout(120)
final class AbortMixTest {
  private static final int SEEDS = 10;
  private static final int OPERATIONS = 100_000;

  private record Open(Request request, TokenStream stream) {}

  private final List<Open> open = new ArrayList<>();
  private long whole;
  private long aborted;
  private long expired;
  private long preempted;

  /// Behaviour 24.
  @Test
  void operations_random_leaveQueuesEmptyAndBlocksFreeOrCached() {
    for (int seed = 0; seed < SEEDS; seed++) {
      try {
        run(seed);
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
    assertThat(whole).isGreaterThan(10_000);
    assertThat(aborted).isGreaterThan(10_000);
    assertThat(expired).isGreaterThan(100);
    assertThat(preempted).isGreaterThan(1_000);
  }

  private void run(int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    EngineConfig config =
        EngineConfig.DEFAULT
            .withBlockTokens(16)
            .withStepTokens(8 + random.nextInt(120))
            .withSequences(1 + random.nextInt(12))
            .withTenantWeights(Map.of("a", 1 + random.nextDouble() * 4));
    config = seed % 3 == 2 ? config.withoutSharing() : config;
    StepLoop loop = new StepLoop(config, 12 + random.nextInt(30));
    for (int i = 0; i < OPERATIONS; i++) {
      operate(loop, random);
      if (i % 64 == 0) {
        loop.cache.verify();
        collect();
      }
    }
    loop.stepUntilIdle(100_000);
    collect();
    assertThat(open).isEmpty();
    preempted += loop.scheduler.stats().preemptions();
    loop.checkEmpty();
  }

  private void operate(StepLoop loop, SplittableRandom random) {
    int choice = random.nextInt(100);
    if (choice < 15 && open.size() < 60) {
      submit(loop, random);
    } else if (choice < 19 && !open.isEmpty()) {
      open.get(random.nextInt(open.size())).stream.cancel();
    } else if (choice < 20) {
      loop.cache.reset();
    } else if (choice < 23) {
      Batch batch = loop.begin();
      if (!batch.isEmpty()) {
        batch.sequence(random.nextInt(batch.size())).stream().cancel();
        loop.finish(batch);
      }
    } else {
      loop.step();
    }
  }

  private void submit(StepLoop loop, SplittableRandom random) {
    int[] prompt = tokens(1 + random.nextInt(80), random.nextInt(6));
    String tenant = String.valueOf((char) ('a' + random.nextInt(3)));
    Request request = request(prompt, 1 + random.nextInt(80), tenant, random.nextInt(3));
    if (random.nextInt(10) == 0) {
      request = request.withTerms(new Terms(tenant, "", 0, 1 + random.nextInt(50)));
    }
    // The engine refuses what could never fit.
    if (loop.scheduler.need(request) <= loop.cache.config().blockCount()) {
      open.add(new Open(request, loop.submit(request)));
    }
  }

  private void collect() {
    for (int i = open.size() - 1; i >= 0; i--) {
      Open ended = open.get(i);
      if (hasEnded(ended.stream)) {
        open.remove(i);
        check(ended);
      }
    }
  }

  private static boolean hasEnded(TokenStream stream) {
    try {
      stream.outcome();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  private void check(Open ended) {
    List<Integer> expected = StepLoop.alone(ended.request);
    List<Integer> tokens = StepLoop.drain(ended.stream);
    switch (ended.stream.outcome().reason()) {
      case LENGTH -> {
        assertThat(tokens).isEqualTo(expected);
        whole++;
      }
      case CANCELLED -> {
        assertThat(tokens).isEqualTo(expected.subList(0, tokens.size()));
        aborted++;
      }
      case EXPIRED -> {
        assertThat(tokens).isEmpty();
        expired++;
      }
      case STOP, ERROR -> throw new AssertionError(ended.stream.outcome().toString());
    }
  }
}
