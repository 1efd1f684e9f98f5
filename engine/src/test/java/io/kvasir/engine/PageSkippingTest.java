package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.PruneOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Answers that read some pages only depend on nothing but the request, and nobody else's answer
/// depends on them.
@Timeout(240)
final class PageSkippingTest {
  private static final String MODEL = "llama-gqa";
  private static final int PROMPT = 330;
  private static final int ANSWER = 50;
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withBlockTokens(16).withCacheBytes(8 << 20);

  @TempDir Path folder;

  private static EngineConfig config(String recipe) {
    return CONFIG.withKvFormat(KvRecipe.named(recipe));
  }

  private static int[] prompt(int seed, int count) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] tokens = new int[count];
    Arrays.setAll(tokens, i -> 3 + random.nextInt(300));
    return tokens;
  }

  private static Request request(int[] prompt, int answer, String prune) {
    SamplingOptions seeded = SamplingOptions.GREEDY.withTemperature(1).withSeed(5);
    return new Request(prompt, answer, seeded, Set.of())
        .withScores(0)
        .withPrune(PruneOptions.parse(prune));
  }

  private static Request in(Session session, Request request) {
    return new Request(
        request.prompt(),
        request.maxTokens(),
        request.sampling(),
        request.stopTokens(),
        request.terms(),
        request.output(),
        session,
        request.prune());
  }

  /// Tokens and the bits of their log-probabilities.
  private record Answer(List<Integer> tokens, List<Integer> scoreBits) {
    /// The prompt and what was answered.
    int[] after(int[] prompt) {
      int[] all = Arrays.copyOf(prompt, prompt.length + tokens.size());
      for (int i = 0; i < tokens.size(); i++) {
        all[prompt.length + i] = tokens.get(i);
      }
      return all;
    }
  }

  private static void read(TokenStream stream, Answer into) {
    into.tokens.add(stream.token());
    TokenScores scores = Objects.requireNonNull(stream.scores());
    into.scoreBits.add(Float.floatToIntBits(scores.logProbability()));
  }

  private static Answer drain(TokenStream stream) throws InterruptedException {
    return drain(stream, new Answer(new ArrayList<>(), new ArrayList<>()));
  }

  private static Answer drain(TokenStream stream, Answer into) throws InterruptedException {
    while (stream.advance()) {
      read(stream, into);
    }
    assertThat(stream.outcome().error()).isNull();
    return into;
  }

  private static Engine open(Backend backend, EngineConfig config) {
    return Engine.open(ReferenceModels.model(MODEL), backend, config);
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "int8", "int4", "kivi4"})
  void answer_readingSomePages_isTheSameHoweverItIsComputed(String recipe)
      throws InterruptedException {
    int tokens = recipe.startsWith("kivi") ? 32 : 16;
    EngineConfig config = config(recipe).withBlockTokens(tokens);
    int[] prompt = prompt(1, PROMPT);
    Request request = request(prompt, ANSWER, "quest:0.8");
    Request dense = request.withPrune(PruneOptions.NONE);
    Answer expected;
    Answer whole;
    try (Backend backend = new CpuBackend(2);
        Engine engine = open(backend, config)) {
      expected = drain(engine.submit(request));
      assertThat(drain(engine.submit(request))).isEqualTo(expected);
      whole = drain(engine.submit(dense));
      assertThat(whole).isNotEqualTo(expected);
      assertThat(whole.scoreBits().getFirst()).isEqualTo(expected.scoreBits().getFirst());
      // Beside others, one of which shares the prompt.
      TokenStream one = engine.submit(dense);
      TokenStream own = engine.submit(request);
      TokenStream other = engine.submit(request(prompt(2, 300), 30, "quest:0.5"));
      assertThat(drain(own)).isEqualTo(expected);
      assertThat(drain(one)).isEqualTo(whole);
      drain(other);
      // Whoever goes on behind the answer must not find rows that read some pages only.
      Request next = request(expected.after(prompt), 5, "none");
      TokenStream after = engine.submit(next);
      Answer found = drain(after);
      int alike = 0;
      while (whole.tokens().get(alike).equals(expected.tokens().get(alike))) {
        alike++;
      }
      assertThat(after.outcome().cachedTokens()).isBetween(PROMPT - 16, PROMPT + alike);
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      try (Engine fresh = open(backend, config.withoutSharing())) {
        assertThat(found).isEqualTo(drain(fresh.submit(next)));
      }
    }
    for (EngineConfig other :
        List.of(
            config.withStepTokens(3),
            config.withStepTokens(64).withBlockTokens(128),
            config.withoutSharing())) {
      try (Backend backend = new CpuBackend(1);
          Engine engine = open(backend, other)) {
        assertThat(drain(engine.submit(request))).isEqualTo(expected);
        assertThat(drain(engine.submit(dense))).isEqualTo(whole);
        engine.verify();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "int4"})
  void answer_preempted_isTheUndisturbedOne(String recipe) throws InterruptedException {
    Terms greedy = new Terms("greedy", "", 0, 0);
    Request first = request(prompt(2, PROMPT), ANSWER, "quest:0.7").withTerms(greedy);
    Request request = request(prompt(1, PROMPT), ANSWER, "quest:0.8").withTerms(greedy);
    Request modest = request(prompt(3, 400), 6, "none").withTerms(new Terms("modest", "", 0, 0));
    EngineConfig config = config(recipe).withTenantWeights(Map.of("greedy", 0.02));
    for (boolean sharing : new boolean[] {true, false}) {
      EngineConfig shared = sharing ? config : config.withoutSharing();
      try (Backend backend = new CpuBackend(2);
          Engine large = open(backend, shared)) {
        long blocks = large.layout().blocksFor(PROMPT + ANSWER, 512) * 5 / 2;
        long bytes = blocks * large.layout().blockBytes();
        try (Engine small = open(backend, shared.withCacheBytes(bytes))) {
          Answer expectedFirst = drain(large.submit(first));
          Answer expected = drain(large.submit(request));
          int interrupted = 0;
          for (int after = 1; after < ANSWER; after += 12) {
            TokenStream before = small.submit(first);
            TokenStream stream = small.submit(request);
            Answer answer = new Answer(new ArrayList<>(), new ArrayList<>());
            for (int i = 0; i < after && stream.advance(); i++) {
              read(stream, answer);
            }
            List<TokenStream> others = List.of(small.submit(modest), small.submit(modest));
            String what = recipe + ", sharing " + sharing + ", after " + after;
            assertThat(drain(stream, answer)).as(what).isEqualTo(expected);
            assertThat(drain(before)).as(what).isEqualTo(expectedFirst);
            for (TokenStream other : others) {
              drain(other);
            }
            interrupted += stream.outcome().preemptions();
            small.verify();
            assertThat(small.cacheStats().heldBlocks()).isZero();
          }
          assertThat(interrupted).isPositive();
        }
      }
    }
  }

  /// Three turns, of which two answers read some pages only, in a cache that keeps the conversation
  /// and in one that loses it between turns.
  @Test
  void session_losesItsCacheBetweenTurns_answersAlike() throws InterruptedException {
    List<Answer> kept = new ArrayList<>();
    List<Answer> lost = new ArrayList<>();
    try (Backend backend = new CpuBackend(2);
        Engine engine = open(backend, config("int4"));
        Engine small =
            open(backend, config("int4").withCacheBytes(engine.layout().blockBytes() * 160));
        Session a = engine.openSession();
        Session b = small.openSession()) {
      int[] prompt = prompt(6, PROMPT);
      for (String prune : List.of("quest:0.8", "quest:0.5", "none")) {
        Request request = request(prompt, 30, prune);
        kept.add(drain(engine.submit(in(a, request))));
        lost.add(drain(small.submit(in(b, request))));
        // Others take all the room of the small cache.
        drain(small.submit(request(prompt(50, 380), 100, "none")));
        prompt = kept.getLast().after(prompt);
        prompt = Arrays.copyOf(prompt, prompt.length + 10);
      }
      assertThatThrownBy(() -> a.save(folder.resolve("session")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("whole");
      engine.verify();
      small.verify();
    }
    assertThat(lost).isEqualTo(kept);
  }

  /// A prompt that leaves the conversation inside of such an answer reads nothing of it.
  @Test
  void session_promptDiverges_startsBeforeTheAnswer() throws InterruptedException {
    try (Backend backend = new CpuBackend(2);
        Engine engine = open(backend, config("f16"));
        Session session = engine.openSession()) {
      int[] prompt = prompt(6, PROMPT);
      Answer answer = drain(engine.submit(in(session, request(prompt, ANSWER, "quest:0.8"))));
      int[] other = Arrays.copyOf(answer.after(prompt), PROMPT + 20);
      TokenStream stream = engine.submit(in(session, request(other, 10, "none")));
      Answer diverged = drain(stream);
      assertThat(stream.outcome().cachedTokens()).isEqualTo(PROMPT);
      try (Engine fresh = open(backend, config("f16"))) {
        assertThat(diverged).isEqualTo(drain(fresh.submit(request(other, 10, "none"))));
      }
      engine.verify();
    }
  }

  @Test
  void submit_whatCannotLeavePagesOut_isRefusedInASentence() throws InterruptedException {
    Request request = request(prompt(1, PROMPT), 3, "quest:0.5");
    try (Backend backend = new ReferenceBackend()) {
      try (Engine engine = open(backend, config("f16").withoutCache())) {
        refuse(engine, request, "turned off");
      }
      try (Engine engine =
          Engine.open(ReferenceModels.model("deepseek_v3-mla"), backend, config("f16"))) {
        refuse(engine, request, "latent");
      }
      try (Engine engine =
          Engine.open(ReferenceModels.model("mistral-swa"), backend, config("f16"))) {
        refuse(engine, request, "window");
      }
      try (Engine engine = open(backend, config("f16"));
          Session session = engine.openSession()) {
        drain(engine.submit(in(session, request(prompt(1, PROMPT), 1, "random:0.5"))));
        TokenStream refused =
            engine.submit(
                in(session, request(Arrays.copyOf(prompt(1, PROMPT), 350), 3, "quest:0.5")));
        assertThat(refused.advance()).isFalse();
        assertThat(refused.outcome().error()).hasMessageContaining("whole conversations only");
        Request goesOn = request(Arrays.copyOf(prompt(1, PROMPT), 350), 3, "none");
        assertThat(drain(engine.submit(in(session, goesOn))).tokens()).hasSize(3);
        engine.verify();
      }
    }
  }

  private static void refuse(Engine engine, Request request, String why) {
    assertThatThrownBy(() -> engine.submit(request))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }
}
