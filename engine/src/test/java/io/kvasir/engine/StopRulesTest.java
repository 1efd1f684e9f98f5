package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// When answers end, and that sessions go on from any token. Numbers are those of the table in
/// `docs/behaviours.md`.
@Timeout(60)
final class StopRulesTest {
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT
          .withBlockTokens(16)
          .withKvFormat(KvRecipe.of(KvFormat.F32))
          .withCacheBytes(4 << 20);

  private static int[] prompt(int length) {
    int[] tokens = new int[length];
    Arrays.setAll(tokens, i -> i * 31 % 290 + 5);
    return tokens;
  }

  private static List<Integer> drain(TokenStream stream) throws InterruptedException {
    List<Integer> tokens = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
    }
    return tokens;
  }

  /// Behaviour 20: stop ids stand for the end of text, which `ignore_eos` leaves out of them.
  @Test
  void answer_anyStopsMinAndMax_endsWhereItShould() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model("llama-gqa"), backend, CONFIG)) {
      List<Integer> free = drain(engine.submit(request(20, Set.of(), 0)));
      int early = free.get(2);
      int late = free.get(9);
      int never = 5;
      assertThat(free).doesNotContain(never);
      assertThat(free.indexOf(late)).isGreaterThan(free.indexOf(early));
      for (Set<Integer> stops :
          List.of(
              Set.<Integer>of(),
              Set.of(never),
              Set.of(early),
              Set.of(late),
              Set.of(early, late, never))) {
        for (int max : new int[] {1, 2, 3, 4, 9, 10, 11, 20}) {
          for (int min = 0; min <= max; min++) {
            check(engine, free, request(max, stops, min));
          }
        }
      }
    }
  }

  private static Request request(int max, Set<Integer> stops, int min) {
    return new Request(prompt(20), max, SamplingOptions.GREEDY, stops).withMinTokens(min);
  }

  private static void check(Engine engine, List<Integer> free, Request request)
      throws InterruptedException {
    int min = request.output().minTokens();
    int max = request.maxTokens();
    TokenStream stream = engine.submit(request);
    List<Integer> tokens = drain(stream);
    int first = 0;
    while (first < free.size() && !request.stopTokens().contains(free.get(first))) {
      first++;
    }
    String name = "stops %s, %d to %d tokens".formatted(request.stopTokens(), min, max);
    boolean stopped = stream.outcome().reason() == FinishReason.STOP;
    assertThat(tokens).as(name).noneMatch(request.stopTokens()::contains);
    assertThat(tokens.size()).as(name).isBetween(min, max);
    assertThat(stream.outcome().completionTokens()).as(name).isEqualTo(tokens.size());
    if (!stopped) {
      assertThat(stream.outcome().reason()).as(name).isEqualTo(FinishReason.LENGTH);
      assertThat(tokens).as(name).hasSize(max);
    }
    if (first >= Math.min(min, max)) {
      // No stop is held back, so the answer is the free one up to its first stop.
      assertThat(tokens).as(name).isEqualTo(free.subList(0, Math.min(first, max)));
      assertThat(stopped).as(name).isEqualTo(first < max);
    } else {
      assertThat(tokens.subList(0, first)).as(name).isEqualTo(free.subList(0, first));
    }
  }

  /// Behaviour 31.
  @Test
  void session_forkedAndRewoundToAnyToken_answersAsAFreshRun() throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model("llama-gqa"), backend, CONFIG);
        Engine fresh =
            Engine.open(ReferenceModels.model("llama-gqa"), backend, CONFIG.withoutSharing());
        Session session = engine.openSession()) {
      drain(engine.submit(new Request(prompt(60), 1, SamplingOptions.GREEDY, Set.of(), session)));
      int held = engine.cacheStats().heldBlocks();
      assertThat(session.heldTokens()).hasSize(60);
      for (int at = 0; at < 60; at++) {
        try (Session fork = session.fork()) {
          assertThat(engine.cacheStats().heldBlocks())
              .as("a fork copies one block at most")
              .isLessThanOrEqualTo(held + 1);
          assertThat(fork.rewind(at)).isEqualTo(at);
          int[] branch = prompt(at + 1);
          branch[at] = 299;
          TokenStream warm =
              engine.submit(new Request(branch, 2, SamplingOptions.GREEDY, Set.of(), fork));
          List<Integer> tokens = drain(warm);
          assertThat(warm.outcome().cachedTokens()).isEqualTo(at);
          assertThat(tokens)
              .as("after %d tokens", at)
              .isEqualTo(
                  drain(fresh.submit(new Request(branch, 2, SamplingOptions.GREEDY, Set.of()))));
        }
      }
      engine.verify();
      assertThat(engine.cacheStats().heldBlocks()).isEqualTo(held);
    }
  }
}
