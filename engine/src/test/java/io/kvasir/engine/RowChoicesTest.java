package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Tokens that the backend chooses are those that the host would choose, in any company.
@Timeout(60)
final class RowChoicesTest {
  private static final int ANSWER = 24;
  private static final int LEAST = 5;

  /// Likeliest and drawn ones, which scores alone decide.
  private static List<Request> plain() {
    return List.of(
        request(new SamplingOptions(0, 0, 1, 0, 0, SamplingOptions.Penalties.NONE, Map.of())),
        request(options(1, 0, 1, 0, 1)),
        request(options(0.7f, 5, 1, 0, 2)),
        request(options(1.5f, 0, 0.8f, 0, 3)),
        request(options(2, 1, 1, 0, 4)),
        request(options(3, 40, 0.95f, 0.1f, -5)));
  }

  /// Those that need their scores on the host.
  private static List<Request> others() {
    SamplingOptions.Penalties penalties = new SamplingOptions.Penalties(1.3f, 0.2f, 0.1f);
    SamplingOptions some = options(1, 0, 1, 0, 6);
    return List.of(
        request(new SamplingOptions(1, 20, 1, 0, 7, penalties, Map.of())),
        request(new SamplingOptions(0, 0, 1, 0, 8, penalties, Map.of())),
        request(new SamplingOptions(1, 0, 1, 0, 9, SamplingOptions.Penalties.NONE, Map.of(4, 3f))),
        request(some).withScores(2),
        request(SamplingOptions.GREEDY).withScores(0));
  }

  private static SamplingOptions options(
      float temperature, int topK, float topP, float minP, long seed) {
    return new SamplingOptions(
        temperature, topK, topP, minP, seed, SamplingOptions.Penalties.NONE, Map.of());
  }

  private static Request request(SamplingOptions options) {
    int[] prompt = new int[3 + (int) Math.abs(options.seed())];
    for (int i = 0; i < prompt.length; i++) {
      prompt[i] = 5 + (i * 31 + prompt.length) % 200;
    }
    return new Request(prompt, ANSWER, options, Set.of());
  }

  private static List<List<Integer>> together(Engine engine, List<Request> requests)
      throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (Request request : requests) {
      streams.add(engine.submit(request));
    }
    List<List<Integer>> answers = new ArrayList<>();
    for (TokenStream stream : streams) {
      List<Integer> tokens = new ArrayList<>();
      while (stream.advance()) {
        tokens.add(stream.token());
      }
      assertThat(stream.outcome().error()).isNull();
      answers.add(tokens);
    }
    return answers;
  }

  private static Engine open(Backend backend) {
    Path model = ReferenceModels.model("llama-gqa");
    return Engine.open(model, backend, EngineConfig.DEFAULT.withCacheBytes(1 << 22));
  }

  @Test
  void answers_chosenByTheBackend_areTheHostsAndMoveNoScores() throws InterruptedException {
    List<Request> requests = new ArrayList<>(plain());
    requests.addAll(others());
    requests.add(request(options(1, 0, 1, 0, 10)).withMinTokens(LEAST));
    List<List<Integer>> expected;
    int vocabulary;
    try (Backend backend = new ReferenceBackend();
        Engine engine = open(backend)) {
      expected = together(engine, requests);
      vocabulary = engine.vocabularySize();
    }
    DrawingBackend drawing = new DrawingBackend(vocabulary);
    try (Backend backend = drawing.backend();
        Engine engine = open(backend)) {
      assertThat(together(engine, requests)).isEqualTo(expected);
      assertThat(drawing.moved()).isEqualTo(others().size() * ANSWER + LEAST);
      assertThat(drawing.drawn()).isPositive();

      for (int i = 0; i < requests.size(); i++) {
        assertThat(together(engine, List.of(requests.get(i))))
            .as("alone: " + requests.get(i).sampling())
            .containsExactly(expected.get(i));
      }
      int moved = drawing.moved();
      together(engine, plain());
      assertThat(drawing.moved()).isEqualTo(moved);
    }
    // A draw that ignored its random number would give the likeliest tokens.
    assertThat(expected.get(1)).isNotEqualTo(expected.get(4));
  }
}
