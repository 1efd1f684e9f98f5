package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What a request may ask for beside tokens: scores, constraints, embeddings, a place in the queue.
@Timeout(120)
final class RequestOptionsTest {
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT
          .withBlockTokens(16)
          .withKvFormat(KvRecipe.of(KvFormat.F32))
          .withCacheBytes(1 << 20);
  private Backend backend;
  private Engine engine;

  @BeforeEach
  void open() {
    backend = new ReferenceBackend();
    engine = Engine.open(ReferenceModels.model("llama-gqa"), backend, CONFIG);
  }

  @AfterEach
  void verifyAndClose() {
    if (engine != null) {
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      assertThat(engine.stats().running() + engine.stats().waiting()).isZero();
      engine.close();
      backend.close();
    }
  }

  private static int[] tokens(int count, int seed) {
    int[] tokens = new int[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = (i * 37 + seed * 11) % 300 + 3;
    }
    return tokens;
  }

  private static Request request(int length, int count) {
    return new Request(tokens(length, 3), count, SamplingOptions.GREEDY, Set.of());
  }

  private static List<Integer> drain(TokenStream stream) throws InterruptedException {
    List<Integer> tokens = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
    }
    return tokens;
  }

  @Test
  void scores_greedyAnswer_beginWithTheChosenTokenAndDescend() throws InterruptedException {
    TokenStream stream = engine.submit(request(20, 8).withScores(5));
    int seen = 0;
    while (stream.advance()) {
      TokenScores scores = Objects.requireNonNull(stream.scores());
      assertThat(scores.ids()).hasSize(5);
      assertThat(scores.ids()[0]).isEqualTo(stream.token());
      assertThat(scores.logProbabilities()[0]).isEqualTo(scores.logProbability()).isNegative();
      double sum = 0;
      for (int i = 0; i < 5; i++) {
        sum += Math.exp(scores.logProbabilities()[i]);
        assertThat(i == 0 || scores.logProbabilities()[i] <= scores.logProbabilities()[i - 1])
            .isTrue();
      }
      assertThat(sum).isBetween(0.0, 1.0);
      seen++;
    }
    assertThat(seen).isEqualTo(8);
    assertThat(stream.promptScores()).isEmpty();
    TokenStream plain = engine.submit(request(20, 1));
    plain.advance();
    assertThat(plain.scores()).isNull();
    drain(plain);
  }

  @Test
  void promptScores_anyChunking_areThoseOfTheAnswerThatSaysTheSame() throws InterruptedException {
    // What the model answers token by token has the scores it has as a prompt.
    TokenStream answer = engine.submit(request(20, 30).withScores(2));
    int[] all = Arrays.copyOf(tokens(20, 3), 50);
    List<TokenScores> answered = new ArrayList<>();
    for (int i = 20; answer.advance(); i++) {
      all[i] = answer.token();
      answered.add(Objects.requireNonNull(answer.scores()));
    }
    Request again = new Request(all, 1, SamplingOptions.GREEDY, Set.of()).withScores(2);
    TokenStream prompt = engine.submit(again.withPromptScores());
    assertThat(prompt.advance()).isTrue();
    List<TokenScores> scores = prompt.promptScores();
    drain(prompt);
    assertThat(prompt.outcome().cachedTokens()).isZero();
    assertThat(scores).hasSize(49);
    for (int i = 0; i < 30; i++) {
      TokenScores asPrompt = scores.get(19 + i);
      assertThat(asPrompt.ids()).isEqualTo(answered.get(i).ids());
      assertThat(asPrompt.logProbability())
          .isCloseTo(answered.get(i).logProbability(), within(1e-4f));
    }
  }

  @Test
  void minTokens_stopTokenWouldCome_waitsForIt() throws InterruptedException {
    List<Integer> free = drain(engine.submit(request(20, 12)));
    Set<Integer> stops = Set.of(free.get(3));
    Request stopped = new Request(tokens(20, 3), 12, SamplingOptions.GREEDY, stops);
    int first = free.indexOf(free.get(3));
    assertThat(drain(engine.submit(stopped))).hasSize(first);
    TokenStream longer = engine.submit(stopped.withMinTokens(8));
    List<Integer> tokens = drain(longer);
    assertThat(tokens).hasSizeGreaterThanOrEqualTo(8).doesNotContain(free.get(3));
    assertThat(tokens.subList(0, first)).isEqualTo(free.subList(0, first));
  }

  /// Allows the tokens of a list one after the other, then nothing.
  private static TokenConstraint.Factory script(int... tokens) {
    return () ->
        new TokenConstraint() {
          private int at;

          @Override
          public long[] allowed() {
            long[] mask = new long[16];
            if (at < tokens.length) {
              mask[tokens[at] / 64] |= 1L << tokens[at];
            }
            return mask;
          }

          @Override
          public boolean mayEnd() {
            return at == tokens.length;
          }

          @Override
          public void accept(int token) {
            assertThat(token).isEqualTo(tokens[at++]);
          }
        };
  }

  @Test
  void constraint_anySampling_isKeptAndEndsTheAnswer() throws InterruptedException {
    TokenStream stream = engine.submit(request(20, 40).withConstraint(script(7, 200, 64, 63)));
    assertThat(drain(stream)).containsExactly(7, 200, 64, 63);
    assertThat(stream.outcome().reason()).isEqualTo(FinishReason.STOP);
    Request hot =
        new Request(tokens(9, 1), 40, SamplingOptions.GREEDY.withTemperature(100), Set.of(5));
    assertThat(drain(engine.submit(hot.withConstraint(script(8, 9))))).containsExactly(8, 9);
  }

  @Test
  void constraint_deadEnd_failsItsOwnRequestOnly() throws InterruptedException {
    TokenConstraint.Factory dead =
        () ->
            new TokenConstraint() {
              @Override
              public long[] allowed() {
                return new long[16];
              }

              @Override
              public boolean mayEnd() {
                return false;
              }

              @Override
              public void accept(int token) {}
            };
    TokenStream good = engine.submit(request(20, 30));
    TokenStream bad = engine.submit(request(20, 30).withConstraint(dead));
    assertThat(drain(bad)).isEmpty();
    assertThat(bad.outcome().reason()).isEqualTo(FinishReason.ERROR);
    assertThat(bad.outcome().error()).hasMessageContaining("allows no token");
    assertThat(drain(good)).hasSize(30);
  }

  @Test
  void embed_anyChunking_isTheSameUnitVector() {
    float[] unit = engine.embed(tokens(70, 2), Terms.DEFAULT).join();
    double square = 0;
    for (float value : unit) {
      square += value * value;
    }
    assertThat(square).isCloseTo(1, within(1e-5));
    try (Backend other = new ReferenceBackend();
        Engine chunked =
            Engine.open(ReferenceModels.model("llama-gqa"), other, CONFIG.withStepTokens(7))) {
      assertThat(chunked.embed(tokens(70, 2), Terms.DEFAULT).join()).isEqualTo(unit);
      assertThat(chunked.embed(tokens(70, 4), Terms.DEFAULT).join()).isNotEqualTo(unit);
    }
    assertThatThrownBy(() -> engine.embed(new int[0], Terms.DEFAULT))
        .hasMessageContaining("prompt is empty");
  }

  @Test
  void submit_queueFull_isRefusedAndTheRestAnswered() throws InterruptedException {
    try (Backend other = new ReferenceBackend();
        Engine small =
            Engine.open(
                ReferenceModels.model("llama-gqa"),
                other,
                CONFIG.withSequences(1).withQueueLimit(3))) {
      TokenStream first = small.submit(request(20, 60));
      assertThat(first.advance()).isTrue();
      List<TokenStream> waiting = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        waiting.add(small.submit(request(20, 2)));
      }
      assertThatThrownBy(() -> small.submit(request(20, 2)))
          .isInstanceOfSatisfying(
              QueueFullException.class, e -> assertThat(e.retryAfterSeconds()).isBetween(1, 60))
          .hasMessageContaining("3 requests are waiting");
      waiting.removeFirst().cancel();
      while (small.stats().waiting() == 3) {
        Thread.onSpinWait();
      }
      waiting.add(small.submit(request(20, 2)));
      drain(first);
      for (TokenStream stream : waiting) {
        assertThat(drain(stream)).hasSize(2);
      }
    }
  }

  @Test
  void submit_waitsTooLong_expires() throws InterruptedException {
    try (Backend other = new ReferenceBackend();
        Engine small =
            Engine.open(ReferenceModels.model("llama-gqa"), other, CONFIG.withSequences(1))) {
      TokenStream first = small.submit(request(20, 200));
      assertThat(first.advance()).isTrue();
      TokenStream late = small.submit(request(20, 2).withTerms(new Terms("", "", 0, 1)));
      assertThat(drain(late)).isEmpty();
      assertThat(late.outcome().reason()).isEqualTo(FinishReason.EXPIRED);
      first.cancel();
      drain(first);
    }
  }

  @Test
  void start_priority_comesBeforeArrival() throws InterruptedException {
    try (Backend other = new ReferenceBackend();
        Engine small =
            Engine.open(ReferenceModels.model("llama-gqa"), other, CONFIG.withSequences(1))) {
      TokenStream first = small.submit(request(20, 40));
      assertThat(first.advance()).isTrue();
      TokenStream later = small.submit(request(30, 2).withTerms(new Terms("", "", 5, 0)));
      TokenStream urgent = small.submit(request(30, 2).withTerms(new Terms("", "", -1, 0)));
      drain(first);
      drain(later);
      drain(urgent);
      assertThat(urgent.outcome().queueNanos()).isLessThan(later.outcome().queueNanos());
    }
  }

  @Test
  void outcome_prefixMissing_saysWhy() throws InterruptedException {
    assertThat(reason(request(8, 1))).isEqualTo(PrefixMiss.Reason.SHORT);
    assertThat(reason(request(60, 1))).isEqualTo(PrefixMiss.Reason.NEW);
    assertThat(reason(request(60, 1))).isEqualTo(PrefixMiss.Reason.NONE);
    assertThat(reason(request(60, 1).withSalt("other"))).isEqualTo(PrefixMiss.Reason.SALT);
    engine.resetPrefixCache();
    assertThat(reason(request(60, 1))).isEqualTo(PrefixMiss.Reason.EVICTED);
  }

  private PrefixMiss.Reason reason(Request request) throws InterruptedException {
    TokenStream stream = engine.submit(request);
    drain(stream);
    return stream.outcome().miss().reason();
  }

  @Test
  void flood_oneTenant_leavesOthersTheirShare() throws InterruptedException {
    try (Backend other = new ReferenceBackend();
        Engine small =
            Engine.open(
                ReferenceModels.model("llama-gqa"),
                other,
                CONFIG.withSequences(4).withTenantWeights(Map.of("modest", 1.0)))) {
      List<TokenStream> flood = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        Request greedy = new Request(tokens(40, i), 20, SamplingOptions.GREEDY, Set.of());
        flood.add(small.submit(greedy.withTerms(new Terms("greedy", "", 0, 0))));
      }
      assertThat(flood.getFirst().advance()).isTrue();
      TokenStream modest = small.submit(request(40, 20).withTerms(new Terms("modest", "", 0, 0)));
      drain(modest);
      // It went before all but the requests that were already running.
      assertThat(small.stats().waiting()).isGreaterThan(40);
      for (TokenStream stream : flood) {
        stream.cancel();
        drain(stream);
      }
    }
  }

  private static Request greedy(int seed) {
    return new Request(tokens(50, seed), 150, SamplingOptions.GREEDY, Set.of());
  }

  @Test
  void flood_oneTenantHoldsAllBlocks_givesUpWhatIsAboveItsShare() throws InterruptedException {
    long blockBytes = engine.layout().blockBytes();
    try (Backend other = new ReferenceBackend();
        Engine small =
            Engine.open(
                ReferenceModels.model("llama-gqa"),
                other,
                CONFIG.withCacheBytes(48 * blockBytes))) {
      List<Integer> modestAlone = drain(engine.submit(request(70, 10)));
      List<List<Integer>> alone = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        alone.add(drain(engine.submit(greedy(i))));
      }
      List<TokenStream> flood = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        flood.add(small.submit(greedy(i).withTerms(new Terms("greedy", "", 0, 0))));
      }
      assertThat(flood.getFirst().advance()).isTrue();
      TokenStream modest = small.submit(request(70, 10).withTerms(new Terms("modest", "", 0, 0)));
      assertThat(drain(modest)).isEqualTo(modestAlone);
      assertThat(modest.outcome().preemptions()).isZero();
      assertThat(small.stats().running() + small.stats().waiting()).isEqualTo(6);
      assertThat(small.stats().preemptions()).isPositive();
      for (int i = 0; i < flood.size(); i++) {
        List<Integer> tokens = new ArrayList<>(i == 0 ? alone.get(0).subList(0, 1) : List.of());
        tokens.addAll(drain(flood.get(i)));
        assertThat(tokens).as("request %d", i).isEqualTo(alone.get(i));
      }
      small.verify();
    }
  }
}
