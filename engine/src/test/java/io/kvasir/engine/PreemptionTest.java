package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A request that has to give its room to another's answers as if nothing had happened, whenever
/// that is, with and without a prefix cache to find its blocks again.
@Timeout(120)
final class PreemptionTest {
  private static final int ANSWER = 30;
  private static final int PROMPT = 60;

  private static Request request(int seed, String tenant, int answer) {
    int[] tokens = new int[PROMPT];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = (i * 41 + seed * 13) % 300 + 3;
    }
    SamplingOptions seeded = SamplingOptions.GREEDY.withTemperature(1).withSeed(seed);
    return new Request(tokens, answer, seeded, Set.of()).withTerms(new Terms(tenant, "", 0, 0));
  }

  private static List<Integer> drain(TokenStream stream) throws InterruptedException {
    List<Integer> tokens = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
    }
    assertThat(stream.outcome().error()).isNull();
    return tokens;
  }

  @Test
  void answer_preemptedAfterAnyToken_isTheUndisturbedOne() throws InterruptedException {
    for (String model : List.of("llama-gqa", "deepseek_v3-mla", "gemma3")) {
      for (boolean sharing : List.of(true, false)) {
        check(model, sharing, "f32");
      }
    }
  }

  @Test
  void answer_drawnByTheBackendPreempted_isTheUndisturbedOne() throws InterruptedException {
    DrawingBackend drawing = new DrawingBackend(-1);
    check("llama-gqa", true, "f32", drawing.backend());
    assertThat(drawing.drawn()).isPositive();
  }

  @Test
  void answer_ofACodedCachePreempted_isTheUndisturbedOne() throws InterruptedException {
    for (String recipe : List.of("int8", "int4", "lm3+s0", "int4[0=int8]")) {
      check("llama-gqa", true, recipe);
      check("gemma3", false, recipe);
    }
  }

  /// Blocks in which one sequence decodes while another one's prompt is computed.
  private static long twoSequences(KvLayout layout) {
    return layout.blocksFor(PROMPT + ANSWER, 1) + layout.blocksFor(PROMPT + ANSWER, PROMPT);
  }

  private static void check(String model, boolean sharing, String recipe)
      throws InterruptedException {
    check(model, sharing, recipe, new ReferenceBackend());
  }

  private static void check(String model, boolean sharing, String recipe, Backend opened)
      throws InterruptedException {
    EngineConfig config =
        EngineConfig.DEFAULT
            .withBlockTokens(16)
            .withKvFormat(KvRecipe.named(recipe))
            .withTenantWeights(Map.of("greedy", 0.2));
    config = sharing ? config : config.withoutSharing();
    try (Backend backend = opened;
        Engine large =
            Engine.open(ReferenceModels.model(model), backend, config.withCacheBytes(1 << 22));
        Engine small =
            Engine.open(
                ReferenceModels.model(model),
                backend,
                config.withCacheBytes(
                    twoSequences(large.layout()) * large.layout().blockBytes()))) {
      List<Integer> first = drain(large.submit(request(1, "greedy", ANSWER)));
      List<Integer> second = drain(large.submit(request(2, "greedy", ANSWER)));
      int interrupted = 0;
      for (int after = 1; after < ANSWER; after += 2) {
        TokenStream a = small.submit(request(1, "greedy", ANSWER));
        TokenStream b = small.submit(request(2, "greedy", ANSWER));
        List<Integer> answer = new ArrayList<>();
        for (int i = 0; i < after && b.advance(); i++) {
          answer.add(b.token());
        }
        TokenStream other = small.submit(request(3, "modest", 2));
        answer.addAll(drain(b));
        assertThat(answer).as("%s after %d", model, after).isEqualTo(second);
        assertThat(drain(a)).as("%s after %d", model, after).isEqualTo(first);
        assertThat(drain(other)).hasSize(2);
        interrupted += b.outcome().preemptions();
        small.verify();
        assertThat(small.cacheStats().heldBlocks()).isZero();
      }
      assertThat(interrupted).as(model).isGreaterThan(5);
    }
  }
}
