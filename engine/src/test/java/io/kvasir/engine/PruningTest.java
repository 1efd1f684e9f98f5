package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.prune.TokenPruners;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What is left of a pruned sequence, and so its answer, depends on nothing but the request: not on
/// steps, neighbours, cached prefixes or interruptions.
@Timeout(240)
final class PruningTest {
  private static final String MODEL = "llama-gqa";
  private static final int PROMPT = 170;
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT
          .withBlockTokens(16)
          .withKvFormat(KvRecipe.of(KvFormat.F32))
          .withCacheBytes(8 << 20)
          .withPruneWeights(scorer());

  @TempDir Path folder;

  private static List<String> policies() {
    return TokenPruners.names();
  }

  private static LinearScorer scorer() {
    SplittableRandom random = new SplittableRandom(11);
    float[][][] weights = new float[4][2][65];
    for (float[][] layer : weights) {
      for (float[] head : layer) {
        for (int i = 0; i < head.length; i++) {
          head[i] = (float) random.nextGaussian();
        }
      }
    }
    return new LinearScorer(64, weights);
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

  /// Tokens and their exact log-probabilities.
  private static List<String> drain(TokenStream stream) throws InterruptedException {
    List<String> answer = new ArrayList<>();
    while (stream.advance()) {
      answer.add(told(stream));
    }
    assertThat(stream.outcome().error()).isNull();
    return answer;
  }

  private static String told(TokenStream stream) {
    TokenScores scores = Objects.requireNonNull(stream.scores());
    return stream.token() + " " + Float.floatToIntBits(scores.logProbability());
  }

  private static Engine open(Backend backend, EngineConfig config) {
    return Engine.open(ReferenceModels.model(MODEL), backend, config);
  }

  @ParameterizedTest
  @MethodSource("policies")
  void answer_pruned_isTheSameHoweverItIsComputed(String policy) throws InterruptedException {
    Request request = request(prompt(1, PROMPT), 12, policy + ":0.6");
    Request plain = request.withPrune(PruneOptions.NONE);
    List<String> expected;
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG)) {
      TokenStream stream = engine.submit(request);
      expected = drain(stream);
      assertThat(stream.outcome().prunedTokens()).isEqualTo((int) (0.6 * (PROMPT - 64 - 4)));
      // A second time, beside others, and after what is not pruned has been cached.
      assertThat(drain(engine.submit(request))).isEqualTo(expected);
      List<String> unpruned = drain(engine.submit(plain));
      assertThat(unpruned.getFirst()).isEqualTo(expected.getFirst());
      assertThat(unpruned).isNotEqualTo(expected);
      TokenStream beside = engine.submit(request(prompt(2, 150), 20, policy + ":0.3"));
      TokenStream own = engine.submit(request);
      TokenStream third = engine.submit(plain);
      assertThat(drain(own)).isEqualTo(expected);
      assertThat(drain(third)).isEqualTo(unpruned);
      assertThat(drain(beside)).hasSize(20);
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      assertThat(engine.stats().prunedTokens()).isGreaterThan(200);
    }
    for (EngineConfig config :
        List.of(
            CONFIG.withStepTokens(1),
            CONFIG.withStepTokens(7),
            CONFIG.withStepTokens(16),
            CONFIG.withoutSharing())) {
      try (Backend backend = new ReferenceBackend();
          Engine engine = open(backend, config)) {
        assertThat(drain(engine.submit(request))).isEqualTo(expected);
        assertThat(drain(engine.submit(request))).isEqualTo(expected);
        engine.verify();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"window", "random", "snapkv", "kvzip", "kvzap", "h2o"})
  void answer_preempted_isTheUndisturbedOne(String policy) throws InterruptedException {
    Terms greedy = new Terms("greedy", "", 0, 0);
    Request first = request(prompt(2, PROMPT), 40, policy + ":0.6").withTerms(greedy);
    Request request = request(prompt(1, PROMPT), 40, policy + ":0.6").withTerms(greedy);
    Request modest = request(prompt(3, 300), 6, "none").withTerms(new Terms("modest", "", 0, 0));
    EngineConfig config = CONFIG.withTenantWeights(Map.of("greedy", 0.02));
    long blocks = policy.equals("kvzip") ? 130 : 56;
    for (boolean sharing : new boolean[] {true, false}) {
      EngineConfig shared = sharing ? config : config.withoutSharing();
      try (Backend backend = new ReferenceBackend();
          Engine large = open(backend, shared);
          Engine small =
              open(backend, shared.withCacheBytes(blocks * large.layout().blockBytes()))) {
        List<String> expectedFirst = drain(large.submit(first));
        List<String> expected = drain(large.submit(request));
        int interrupted = 0;
        for (int after = 1; after < 30; after += 6) {
          TokenStream before = small.submit(first);
          TokenStream stream = small.submit(request);
          List<String> answer = new ArrayList<>();
          for (int i = 0; i < after && stream.advance(); i++) {
            answer.add(told(stream));
          }
          List<TokenStream> others = new ArrayList<>();
          for (int i = 0; i < blocks / 19 + 1; i++) {
            others.add(small.submit(modest));
          }
          answer.addAll(drain(stream));
          String what = policy + ", sharing " + sharing + ", after " + after;
          assertThat(answer).as(what).isEqualTo(expected);
          assertThat(drain(before)).as(what).isEqualTo(expectedFirst);
          for (TokenStream other : others) {
            assertThat(drain(other)).hasSize(6);
          }
          interrupted += stream.outcome().preemptions();
          small.verify();
          assertThat(small.cacheStats().heldBlocks()).isZero();
        }
        assertThat(interrupted).as(policy).isPositive();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"window", "random", "keydiff", "rkv", "h2o", "tova"})
  void answer_longAndPrunedWhileDecoding_isTheSameHoweverItIsComputed(String policy)
      throws InterruptedException {
    Request request = request(prompt(4, 90), 270, policy + ":0.8");
    List<String> expected;
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG)) {
      TokenStream stream = engine.submit(request);
      expected = drain(stream);
      assertThat(expected).hasSize(270);
      // Of the 90 + 256 tokens at the last pruning, all but the pinned ones count.
      assertThat(stream.outcome().prunedTokens()).isEqualTo((int) (0.8 * (90 + 256 - 64 - 4)));
      long whole = engine.layout().blocksFor(90 + 270, 512) * engine.layout().blockBytes();
      assertThat(stream.outcome().cacheBytes()).isLessThan(whole / 2);
    }
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG.withStepTokens(3).withoutSharing())) {
      TokenStream other = engine.submit(request(prompt(5, 40), 100, "none"));
      assertThat(drain(engine.submit(request))).isEqualTo(expected);
      assertThat(drain(other)).hasSize(100);
      engine.verify();
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void session_prunedOnce_answersManyQuestionsOnWhatIsLeft(String policy)
      throws InterruptedException {
    int[] context = prompt(6, PROMPT);
    List<List<String>> expected = new ArrayList<>();
    for (int round = 0; round < 2; round++) {
      EngineConfig config = round == 0 ? CONFIG : CONFIG.withStepTokens(5);
      try (Backend backend = new ReferenceBackend();
          Engine engine = open(backend, config);
          Session session = engine.openSession()) {
        Request first = request(context, 1, policy + ":0.7");
        drain(engine.submit(in(session, first)));
        try (Session fork = session.fork()) {
          for (int question = 0; question < 3; question++) {
            int[] asked = asked(context, question);
            TokenStream stream = engine.submit(in(session, request(asked, 6, "none")));
            List<String> answer = drain(stream);
            assertThat(stream.outcome().cachedTokens()).isGreaterThanOrEqualTo(PROMPT);
            assertThat(drain(engine.submit(in(fork, request(asked, 6, "none"))))).isEqualTo(answer);
            if (round == 0) {
              expected.add(answer);
              assertThat(answer).isNotEqualTo(drain(engine.submit(request(asked, 6, "none"))));
            } else {
              assertThat(answer).isEqualTo(expected.get(question));
            }
          }
        }
        engine.verify();
      }
    }
    assertThat(new HashSet<>(expected)).hasSize(3);
  }

  private static int[] asked(int[] context, int question) {
    int[] asked = Arrays.copyOf(context, context.length + 9);
    System.arraycopy(prompt(100 + question, 9), 0, asked, context.length, 9);
    return asked;
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

  /// A session that lost its cache, or is pruned turn after turn, answers as if it had all along.
  @ParameterizedTest
  @ValueSource(strings = {"random", "snapkv", "kvzap"})
  void session_losesItsCacheBetweenTurns_prunesAlike(String policy) throws InterruptedException {
    int[] context = prompt(6, PROMPT);
    int[] second = asked(context, 1);
    int[] third = Arrays.copyOf(second, second.length + 40);
    System.arraycopy(prompt(9, 40), 0, third, second.length, 40);
    List<List<String>> kept = new ArrayList<>();
    List<List<String>> lost = new ArrayList<>();
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG);
        Engine small = open(backend, CONFIG.withCacheBytes(40L * engine.layout().blockBytes()));
        Session a = engine.openSession();
        Session b = small.openSession()) {
      for (int[] turn : List.of(context, second, third)) {
        Request request = request(turn, 3, policy + ":0.7");
        kept.add(drain(engine.submit(in(a, request))));
        lost.add(drain(small.submit(in(b, request))));
        // Another request takes all the room of the small cache.
        drain(small.submit(request(prompt(50, 300), 200, "none")));
      }
      small.verify();
      engine.verify();
    }
    assertThat(lost).isEqualTo(kept);
  }

  /// What a policy has learned of rows while they were computed goes with forks, and is cache
  /// memory as long as someone may want it.
  @Test
  void scores_ofAConversation_areCacheMemoryThatForksTakeAlong() throws InterruptedException {
    int[] second = asked(prompt(6, PROMPT), 1);
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG);
        Session plain = engine.openSession();
        Session session = engine.openSession()) {
      drain(engine.submit(request(prompt(6, PROMPT), 3, "kvzap:0.7")));
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      drain(engine.submit(in(plain, request(prompt(6, PROMPT), 1, "random:0.7"))));
      int unscored = engine.cacheStats().heldBlocks();
      drain(engine.submit(in(session, request(prompt(6, PROMPT), 1, "kvzap:0.7"))));
      int scored = engine.cacheStats().heldBlocks() - unscored;
      assertThat(session.heldBlocks()).isEqualTo(scored);
      BlockTable table = Objects.requireNonNull(session.table());
      assertThat(table.marginBlocks()).isEqualTo(1);
      assertThat(table.blockCount()).isEqualTo(scored - 1);
      try (Session fork = session.fork()) {
        Request again = request(second, 6, "kvzap:0.8");
        List<String> answer = drain(engine.submit(in(session, again)));
        TokenStream ofFork = engine.submit(in(fork, again));
        assertThat(drain(ofFork)).isEqualTo(answer);
        assertThat(ofFork.outcome().cachedTokens()).isEqualTo(PROMPT);
        assertThat(answer).isNotEqualTo(drain(engine.submit(again.withPrune(PruneOptions.NONE))));
      }
      engine.verify();
    }
  }

  @Test
  void session_promptDiverges_startsOver() throws InterruptedException {
    int[] context = prompt(6, PROMPT);
    int[] other = context.clone();
    other[20] = 7;
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG);
        Session session = engine.openSession()) {
      drain(engine.submit(in(session, request(context, 1, "random:0.7"))));
      List<String> answer = drain(engine.submit(in(session, request(other, 5, "none"))));
      assertThat(answer).isEqualTo(drain(engine.submit(request(other, 5, "none"))));
      List<String> again = drain(engine.submit(in(session, request(context, 5, "none"))));
      assertThat(again).isEqualTo(drain(engine.submit(request(context, 5, "none"))));
      drain(engine.submit(in(session, request(context, 1, "random:0.7"))));
      assertThat(session.rewind(30)).isZero();
      engine.verify();
    }
  }

  @Test
  void save_prunedSession_isRefused() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend, CONFIG);
        Session session = engine.openSession()) {
      drain(engine.submit(in(session, request(prompt(6, PROMPT), 1, "window:0.7"))));
      assertThatThrownBy(() -> session.save(folder.resolve("session")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("pruned");
      engine.verify();
    }
  }

  @ParameterizedTest
  @MethodSource("policies")
  void answer_ofFullLengthInACacheOfDefaultSize_isPruned(String policy)
      throws InterruptedException {
    int context = 400;
    for (String recipe : List.of("f16", "int4", "int8[0=int4;2=lm3]")) {
      EngineConfig config =
          CONFIG
              .withKvFormat(KvRecipe.named(recipe))
              .withCacheBytes(0)
              .withContextTokens(context)
              .withStepTokens(64);
      try (Backend backend = new ReferenceBackend();
          Engine engine = open(backend, config)) {
        for (String ratio : List.of("0.02", "0.5")) {
          int[] prompt = prompt(6, 290);
          TokenStream stream = engine.submit(request(prompt, 300, policy + ":" + ratio));
          int tokens = 0;
          while (stream.advance()) {
            tokens++;
          }
          assertThat(stream.outcome().error()).as("%s of %s", ratio, recipe).isNull();
          assertThat(tokens).as("%s of %s", ratio, recipe).isGreaterThanOrEqualTo(context - 290);
          engine.verify();
        }
      }
    }
  }

  @Test
  void submit_whatCannotBePruned_isRefusedInASentence() {
    int[] tokens = prompt(1, PROMPT);
    try (Backend backend = new ReferenceBackend()) {
      try (Engine engine = open(backend, CONFIG.withoutCache())) {
        refuse(engine, tokens, "random:0.5", "turned off");
      }
      try (Engine engine = open(backend, CONFIG.withPruneWeights(null))) {
        refuse(engine, tokens, "kvzap:0.5", "weights");
        refuse(engine, prompt(1, 480), "kvzip:0.5", "no room");
      }
      try (Engine engine = Engine.open(ReferenceModels.model("deepseek_v3-mla"), backend, CONFIG)) {
        refuse(engine, tokens, "snapkv:0.5", "latent");
      }
      try (Engine engine = Engine.open(ReferenceModels.model("mistral-swa"), backend, CONFIG)) {
        refuse(engine, tokens, "random:0.5", "window");
      }
    }
  }

  private static void refuse(Engine engine, int[] tokens, String prune, String why) {
    assertThatThrownBy(() -> engine.submit(request(tokens, 3, prune)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }

  @ParameterizedTest
  @ValueSource(strings = {"deepseek_v3-mla", "gemma3", "gpt_oss", "qwen3", "phi"})
  void answer_otherModels_isTheSameHoweverItIsComputed(String model) throws InterruptedException {
    String policy = model.contains("mla") ? "keydiff" : "expected";
    Request request = request(prompt(1, PROMPT), 10, policy + ":0.6");
    List<String> expected;
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG)) {
      expected = drain(engine.submit(request));
      assertThat(drain(engine.submit(request))).isEqualTo(expected);
      engine.verify();
    }
    try (Backend backend = new ReferenceBackend();
        Engine engine =
            Engine.open(ReferenceModels.model(model), backend, CONFIG.withStepTokens(9))) {
      assertThat(drain(engine.submit(request))).isEqualTo(expected);
    }
  }
}
