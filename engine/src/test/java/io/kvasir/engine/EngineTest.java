package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.file.ModelFormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The engine over small models with random weights: answers do not depend on how they are
/// computed.
@Timeout(120)
final class EngineTest {
  private static final int[] PROMPT = tokens(40, 7);
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withBlockTokens(16).withKvFormat(KvRecipe.of(KvFormat.F32));

  private static int[] tokens(int count, int seed) {
    int[] tokens = new int[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = (i * 37 + seed * 11) % 300 + 3;
    }
    return tokens;
  }

  private static List<Integer> drain(TokenStream stream) throws InterruptedException {
    List<Integer> tokens = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
    }
    assertThat(stream.outcome().error()).isNull();
    return tokens;
  }

  private static Request greedy(int[] prompt, int count) {
    return new Request(prompt, count, SamplingOptions.GREEDY, Set.of());
  }

  private static List<Integer> answer(String model, EngineConfig config, Request request)
      throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, config)) {
      List<Integer> tokens = drain(engine.submit(request));
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      return tokens;
    }
  }

  @Test
  void answer_anyCacheSetup_isTheSame() throws InterruptedException {
    for (String model : List.of("llama-gqa", "gemma3", "deepseek_v3-mla")) {
      List<Integer> expected = answer(model, CONFIG, greedy(PROMPT, 30));
      assertThat(expected).hasSize(30);
      for (EngineConfig other :
          List.of(
              CONFIG.withoutCache(),
              CONFIG.withStepTokens(1),
              CONFIG.withStepTokens(7),
              CONFIG.withBlockTokens(64),
              CONFIG.withBlockTokens(128))) {
        assertThat(answer(model, other, greedy(PROMPT, 30)))
            .as(other.toString())
            .isEqualTo(expected);
      }
    }
  }

  @Test
  void answers_together_areThoseAlone() throws InterruptedException {
    Path path = ReferenceModels.model("gemma2");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(path, backend, CONFIG.withCacheBytes(1 << 20))) {
      List<List<Integer>> alone = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        alone.add(drain(engine.submit(greedy(tokens(5 + 9 * i, i), 20))));
      }
      List<TokenStream> streams = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        streams.add(engine.submit(greedy(tokens(5 + 9 * i, i), 20)));
      }
      for (int i = 0; i < 5; i++) {
        assertThat(drain(streams.get(i))).as("request %d", i).isEqualTo(alone.get(i));
      }
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
    }
  }

  @Test
  void answer_prefixCached_isTheColdOne() throws InterruptedException {
    for (String model : List.of("llama-gqa", "gemma3", "deepseek_v3-mla", "gpt_oss")) {
      int[] longer = tokens(90, 7);
      List<Integer> cold = answer(model, CONFIG.withoutSharing(), greedy(longer, 12));
      Path path = ReferenceModels.model(model);
      try (Backend backend = new ReferenceBackend();
          Engine engine = Engine.open(path, backend, CONFIG.withCacheBytes(1 << 20))) {
        drain(engine.submit(greedy(longer, 12)));
        for (int run = 0; run < 2; run++) {
          TokenStream warm = engine.submit(greedy(longer, 12));
          assertThat(drain(warm)).as(model).isEqualTo(cold);
          assertThat(warm.outcome().cachedTokens()).as(model).isEqualTo(89);
        }
        // A prompt that leaves the known one inside a block reuses its part of that block.
        int[] branch = longer.clone();
        branch[70] = 5;
        TokenStream branched = engine.submit(greedy(branch, 12));
        List<Integer> tokens = drain(branched);
        assertThat(branched.outcome().cachedTokens()).as(model).isEqualTo(70);
        assertThat(tokens)
            .as(model)
            .isEqualTo(answer(model, CONFIG.withoutSharing(), greedy(branch, 12)));
        TokenStream foreign = engine.submit(greedy(longer, 12).withSalt("another tenant"));
        assertThat(drain(foreign)).as(model).isEqualTo(cold);
        assertThat(foreign.outcome().cachedTokens()).as(model).isZero();
        engine.verify();
      }
    }
  }

  @Test
  void session_secondTurn_reusesWhatItShares() throws InterruptedException {
    Path path = ReferenceModels.model("llama-gqa");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(path, backend, CONFIG);
        Session session = engine.openSession()) {
      TokenStream first =
          engine.submit(new Request(PROMPT, 8, SamplingOptions.GREEDY, Set.of(), session));
      List<Integer> reply = drain(first);
      int[] longer = Arrays.copyOf(PROMPT, PROMPT.length + 8 + 5);
      for (int i = 0; i < 8; i++) {
        longer[PROMPT.length + i] = reply.get(i);
      }
      TokenStream second =
          engine.submit(new Request(longer, 8, SamplingOptions.GREEDY, Set.of(), session));
      List<Integer> warm = drain(second);
      // The last token of an answer is never computed, so it is not cached either.
      assertThat(second.outcome().cachedTokens()).isEqualTo(PROMPT.length + 7);
      assertThat(warm).isEqualTo(drain(engine.submit(greedy(longer, 8))));
      int[] rewound = Arrays.copyOf(longer, 20);
      TokenStream third =
          engine.submit(new Request(rewound, 8, SamplingOptions.GREEDY, Set.of(), session));
      assertThat(drain(third)).isEqualTo(drain(engine.submit(greedy(rewound, 8))));
      assertThat(third.outcome().cachedTokens()).isEqualTo(19);
      engine.verify();
    }
  }

  @Test
  void submit_answersOutgrowTheCache_somePauseAndNoTokenIsLost() throws InterruptedException {
    for (String model : List.of("llama-gqa", "deepseek_v3-mla")) {
      Path path = ReferenceModels.model(model);
      try (Backend backend = new ReferenceBackend();
          Engine engine =
              Engine.open(path, backend, CONFIG.withCacheBytes(engineBytes(path, 14)))) {
        List<List<Integer>> alone = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          alone.add(answer(model, CONFIG.withoutSharing(), greedy(tokens(20, i), 160)));
        }
        List<TokenStream> streams = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          streams.add(engine.submit(greedy(tokens(20, i), 160)));
        }
        for (int i = 0; i < 4; i++) {
          assertThat(drain(streams.get(i))).as("%s, request %d", model, i).isEqualTo(alone.get(i));
        }
        engine.verify();
        assertThat(engine.stats().preemptions()).as(model).isPositive();
        assertThat(engine.cacheStats().heldBlocks()).isZero();
      }
    }
  }

  /// Bytes of so many blocks of 16 tokens over all layer groups.
  private static long engineBytes(Path model, int blocks) {
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(model, backend, CONFIG)) {
      return blocks * engine.layout().blockBytes() * engine.layout().groups().size();
    }
  }

  @Test
  void submit_moreThanFits_waitsItsTurn() throws InterruptedException {
    Path path = ReferenceModels.model("llama-gqa");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(path, backend, CONFIG.withCacheBytes(200_000))) {
      List<TokenStream> streams = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        streams.add(engine.submit(greedy(tokens(30, i), 10)));
      }
      for (TokenStream stream : streams) {
        assertThat(drain(stream)).hasSize(10);
      }
      assertThat(engine.cacheStats().heldBlocks()).isZero();
    }
  }

  @Test
  void cancel_whileRunning_freesEverything() throws InterruptedException {
    Path path = ReferenceModels.model("llama-gqa");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(path, backend, CONFIG)) {
      TokenStream stream = engine.submit(greedy(PROMPT, 400));
      assertThat(stream.advance()).isTrue();
      stream.cancel();
      while (stream.advance()) {
        assertThat(stream.token()).isNotNegative();
      }
      assertThat(stream.outcome().reason()).isEqualTo(FinishReason.CANCELLED);
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
    }
  }

  @Test
  void submit_badRequest_saysWhy() {
    Path path = ReferenceModels.model("llama-gqa");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(path, backend, CONFIG.withContextTokens(50))) {
      assertThatThrownBy(() -> engine.submit(greedy(tokens(50, 1), 1)))
          .hasMessageContaining("the prompt has 50 tokens")
          .hasMessageContaining("maximum context length is 50");
      assertThatThrownBy(() -> engine.submit(greedy(new int[] {999_999}, 1)))
          .hasMessageContaining("999999");
      assertThatThrownBy(() -> greedy(PROMPT, -1)).hasMessageContaining("-1");
    }
  }

  @Test
  void open_noModel_saysWhatToDo() {
    try (Backend backend = new ReferenceBackend()) {
      assertThatThrownBy(() -> Engine.open(Path.of("no/such/model.gguf"), backend, CONFIG))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("no/such/model.gguf");
    }
  }
}
