package io.kvasir.acceptance;

import io.kvasir.compute.Backend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Answers of a model on a GPU whose tokens are drawn there, beside those that the host draws from
/// the same scores.
///
/// @param rule temperature, top-k, top-p, min-p
/// @param device the answer drawn on the device, in company
/// @param alone the same without company
/// @param host the answer drawn from scores on the host
record GpuDraw(List<Float> rule, List<Integer> device, List<Integer> alone, List<Integer> host) {
  private static final List<List<Float>> RULES =
      List.of(
          List.of(0f, 0f, 1f, 0f),
          List.of(1f, 0f, 1f, 0f),
          List.of(0.8f, 7f, 1f, 0f),
          List.of(2f, 0f, 0.9f, 0f),
          List.of(1.3f, 30f, 0.95f, 0.05f));

  /// @param model its file or folder
  static List<GpuDraw> of(Path model, Backend backend, int answer) throws InterruptedException {
    EngineConfig config = EngineConfig.DEFAULT.withContextTokens(128).withCacheBytes(1 << 22);
    try (Engine engine = Engine.open(model, backend, config)) {
      List<Request> drawn = new ArrayList<>();
      List<Request> mixed = new ArrayList<>();
      for (int i = 0; i < RULES.size(); i++) {
        Request request = request(RULES.get(i), i, answer);
        drawn.add(request);
        // Log-probabilities bring the scores to the host, which then chooses.
        mixed.add(i % 2 == 0 ? request : request.withScores(0));
        mixed.add(i % 2 == 0 ? request.withScores(0) : request);
      }
      List<List<Integer>> answers = answers(engine, mixed);
      List<GpuDraw> draws = new ArrayList<>();
      for (int i = 0; i < RULES.size(); i++) {
        draws.add(
            new GpuDraw(
                RULES.get(i),
                answers.get(2 * i + i % 2),
                answers(engine, drawn.subList(i, i + 1)).getFirst(),
                answers.get(2 * i + 1 - i % 2)));
      }
      return draws;
    }
  }

  /// Whether it made no difference who drew, nor in which company.
  boolean isSame() {
    return device.equals(host) && device.equals(alone);
  }

  private static Request request(List<Float> rule, long seed, int answer) {
    int[] prompt = new int[9];
    for (int i = 0; i < prompt.length; i++) {
      prompt[i] = 3 + 5 * i;
    }
    SamplingOptions options =
        new SamplingOptions(
            rule.get(0),
            rule.get(1).intValue(),
            rule.get(2),
            rule.get(3),
            seed,
            SamplingOptions.Penalties.NONE,
            Map.of());
    return new Request(prompt, answer, options, Set.of());
  }

  private static List<List<Integer>> answers(Engine engine, List<Request> requests)
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
      if (stream.outcome().error() != null) {
        throw new IllegalStateException(stream.outcome().error());
      }
      answers.add(tokens);
    }
    return answers;
  }
}
