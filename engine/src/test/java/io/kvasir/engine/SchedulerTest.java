package io.kvasir.engine;

import static io.kvasir.engine.StepLoop.drain;
import static io.kvasir.engine.StepLoop.request;
import static io.kvasir.engine.StepLoop.tokens;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What steps consist of, who starts, who gives way. [StepLoop] checks each step on its own.
/// Numbers are those of the table in `docs/behaviours.md`.
@Timeout(60)
final class SchedulerTest {
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withBlockTokens(16).withStepTokens(64);

  /// Behaviour 18.
  @ParameterizedTest
  @CsvSource({"1,16", "5,16", "64,16", "100,128", "512,64"})
  void steps_anyLoad_stayInTheirBudgetAndAllAnswersAreWhole(int budget, int block) {
    SplittableRandom random = new SplittableRandom(budget * 1_000L + block);
    EngineConfig config = CONFIG.withBlockTokens(block).withStepTokens(budget).withSequences(12);
    StepLoop loop = new StepLoop(config, 600 / block * 4);
    List<Request> requests = new ArrayList<>();
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      requests.add(request(1 + random.nextInt(400), 1 + random.nextInt(60), random.nextInt(20)));
      streams.add(loop.submit(requests.get(i)));
      if (random.nextInt(3) == 0) {
        loop.step();
      }
    }
    loop.stepUntilIdle(100_000);
    for (int i = 0; i < streams.size(); i++) {
      assertThat(drain(streams.get(i))).isEqualTo(StepLoop.alone(requests.get(i)));
    }
    loop.checkEmpty();
  }

  /// Behaviour 18.
  @Test
  void prompts_manyAndLong_areCutAndAllFinish() {
    StepLoop loop = new StepLoop(CONFIG.withoutSharing(), 4_000);
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      streams.add(loop.submit(request(1_000, 2, i)));
    }
    Batch first = loop.begin();
    assertThat(first.count(0)).as("half of the budget while others wait").isEqualTo(32);
    assertThat(first.size()).isEqualTo(2);
    assertThat(first.tokens()).isEqualTo(64);
    loop.finish(first);
    // 40,000 prompt tokens and some steps in which answers take their place.
    loop.stepUntilIdle(40_000 / 64 + 80);
    streams.forEach(stream -> assertThat(drain(stream)).hasSize(2));
    loop.checkEmpty();
  }

  /// Behaviour 18.
  @Test
  void step_ofAnAbortedRequest_isDiscarded() {
    StepLoop loop = new StepLoop(CONFIG, 100);
    TokenStream gone = loop.submit(request(20, 50, 1));
    TokenStream stays = loop.submit(request(20, 50, 2));
    loop.step();
    loop.step();
    Batch inFlight = loop.begin();
    assertThat(inFlight.size()).isEqualTo(2);
    gone.cancel();
    loop.finish(inFlight);

    assertThat(gone.outcome().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(drain(gone)).as("the token of the step in flight is not given").hasSize(2);
    assertThat(loop.scheduler.stats().running()).isEqualTo(1);
    loop.stepUntilIdle(100);
    assertThat(drain(stays)).hasSize(50);
    loop.checkEmpty();
  }

  /// Behaviour 19.
  @Test
  void victim_isOfLowestPriorityThenTheLatest() {
    StepLoop loop = new StepLoop(CONFIG.withoutSharing(), 24);
    TokenStream urgent = loop.submit(request(tokens(30, 1), 300, "", -1));
    TokenStream early = loop.submit(request(tokens(30, 2), 300, "", 5));
    TokenStream late = loop.submit(request(tokens(30, 3), 300, "", 5));
    TokenStream normal = loop.submit(request(tokens(30, 4), 300, "", 0));
    while (loop.scheduler.stats().running() == 4 || loop.scheduler.stats().preemptions() == 0) {
      loop.step();
    }
    assertThat(late.place()).isNotNull();
    while (loop.scheduler.stats().preemptions() == 1) {
      loop.step();
    }
    assertThat(early.place()).isNotNull();
    assertThat(normal.place()).isNull();
    loop.stepUntilIdle(3_000);
    assertThat(urgent.outcome().preemptions()).isZero();
    assertThat(late.outcome().preemptions()).isPositive();
    for (TokenStream stream : List.of(urgent, early, late, normal)) {
      assertThat(drain(stream)).hasSize(300);
    }
    loop.checkEmpty();
  }

  /// Behaviour 19.
  @Test
  void start_needsRoomForTheWholePrompt_notOnlyForItsFirstChunk() {
    StepLoop loop = new StepLoop(CONFIG.withoutSharing(), 64);
    TokenStream first = loop.submit(request(600, 20, 1));
    TokenStream second = loop.submit(request(600, 20, 2));
    loop.step();
    // 38 blocks and four ahead for the first; a chunk of the second would fit well.
    assertThat(loop.scheduler.stats().running()).isEqualTo(1);
    assertThat(loop.scheduler.stats().waiting()).isEqualTo(1);
    loop.stepUntilIdle(100);
    assertThat(first.outcome().preemptions() + second.outcome().preemptions()).isZero();
    loop.checkEmpty();
  }

  /// Behaviour 14: none happens while space exists.
  @Test
  void preemption_whileSpaceExists_neverHappens() {
    StepLoop loop = new StepLoop(CONFIG, 20 * (200 + 100) / 16 + 20);
    for (int i = 0; i < 20; i++) {
      loop.submit(request(tokens(200, i), 100, "tenant" + i % 3, i % 4));
      loop.step();
    }
    loop.stepUntilIdle(1_000);
    assertThat(loop.scheduler.stats().preemptions()).isZero();
    loop.checkEmpty();
  }

  /// Behaviour 21.
  @Test
  void need_ofARequestLargerThanThePool_isKnownBeforeItStarts() {
    StepLoop loop = new StepLoop(CONFIG, 10);
    assertThat(loop.scheduler.need(request(150, 11, 1))).isEqualTo(11);
    assertThat(loop.scheduler.need(request(150, 10, 1))).isEqualTo(10);
    // One that just fits gets all of the pool, whatever else is in it.
    for (int i = 0; i < 30; i++) {
      loop.submit(request(1 + i * 5 % 100, 10, i));
    }
    TokenStream large = loop.submit(request(150, 10, 77));
    loop.stepUntilIdle(2_000);
    assertThat(drain(large)).hasSize(10);
    loop.checkEmpty();
  }

  /// Behaviour 22.
  @Test
  void flood_ofOneTenant_costsTheOtherAtMostItsShare() {
    EngineConfig config = CONFIG.withSequences(4).withoutSharing();
    StepLoop loop = new StepLoop(config.withTenantWeights(Map.of("heavy", 3.0)), 200);
    long[] served = new long[2];
    for (int i = 0; i < 400; i++) {
      loop.submit(request(tokens(50, i), 50, "light", 0));
      loop.submit(request(tokens(50, 1_000 + i), 50, "heavy", 0));
    }
    for (int step = 0; step < 4_000; step++) {
      Batch batch = loop.begin();
      for (int i = 0; i < batch.size(); i++) {
        served[batch.sequence(i).tenant().name.equals("heavy") ? 1 : 0] += batch.count(i);
      }
      loop.finish(batch);
    }
    assertThat(loop.scheduler.stats().waiting()).as("both still flood").isPositive();
    assertThat((double) served[1] / served[0]).isBetween(2.7, 3.3);
  }

  /// Behaviour 22.
  @Test
  void tenant_withinItsShareOfTheBlocks_startsAtOnceAndIsNotInterrupted() {
    StepLoop loop = new StepLoop(CONFIG.withoutSharing(), 100);
    List<TokenStream> flood = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      flood.add(loop.submit(request(tokens(150, i), 300, "greedy", 0)));
    }
    for (int i = 0; i < 60; i++) {
      loop.step();
    }
    for (int round = 0; round < 5; round++) {
      TokenStream modest = loop.submit(request(tokens(64, 500 + round), 20, "modest", 0));
      loop.step();
      // The first of a tenant ties with what others have been served and may wait for one step.
      loop.step();
      assertThat(modest.place()).as("it runs").isNull();
      for (int i = 0; i < 25; i++) {
        loop.step();
      }
      assertThat(drain(modest)).hasSize(20);
      assertThat(modest.outcome().preemptions()).isZero();
    }
    assertThat(loop.scheduler.stats().preemptions()).isPositive();
    loop.stepUntilIdle(20_000);
    flood.forEach(stream -> assertThat(drain(stream)).hasSize(300));
    loop.checkEmpty();
  }
}
