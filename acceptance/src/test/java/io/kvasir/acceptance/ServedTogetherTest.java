package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The default model on the CPU gives a request the same tokens with the same bits of their
/// log-probabilities whoever runs beside it, and loses nothing when requests come and go.
@Timeout(300)
final class ServedTogetherTest {
  private static final Path MODEL =
      ReferenceData.project().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withBlockTokens(16).withContextTokens(1024).withStepTokens(128);
  private static final int REQUESTS = 32;
  private static final int ANSWER = 24;
  private static final int LONG_ANSWER = 180;

  private record Answer(List<Integer> tokens, List<Integer> scoreBits) {}

  /// Half of the prompts share their first 300 tokens, so that their attention is computed
  /// together.
  private static Request request(int index) {
    int shared = index % 2 == 0 && index < 26 ? 300 : 0;
    int[] tokens = new int[shared + 20 + 7 * index % 150];
    for (int i = 0; i < tokens.length; i++) {
      int seed = i < shared ? 0 : index + 1;
      tokens[i] = 10 + (i * 131 + seed * 977 + i * i * 7) % 8000;
    }
    SamplingOptions sampling = SamplingOptions.GREEDY.withSeed(index);
    sampling = index % 4 < 2 ? sampling : sampling.withTemperature(0.9f);
    // Some outgrow what they were given room for when they started.
    int answer = index >= 26 ? LONG_ANSWER : ANSWER;
    return new Request(tokens, answer, sampling, Set.of()).withScores(0);
  }

  private static Answer read(TokenStream stream) throws InterruptedException {
    List<Integer> tokens = new ArrayList<>();
    List<Integer> bits = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
      bits.add(Float.floatToRawIntBits(Objects.requireNonNull(stream.scores()).logProbability()));
    }
    assertThat(stream.outcome().error()).isNull();
    return new Answer(tokens, bits);
  }

  private static List<Answer> together(Engine engine) throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      streams.add(engine.submit(request(i)));
    }
    List<Answer> answers = new ArrayList<>();
    for (TokenStream stream : streams) {
      answers.add(read(stream));
    }
    engine.verify();
    assertThat(engine.cacheStats().heldBlocks()).isZero();
    return answers;
  }

  @Test
  void answers_aloneTogetherPreemptedCached_haveTheSameBits() throws InterruptedException {
    List<Answer> alone = new ArrayList<>();
    try (Backend backend = new CpuBackend(2);
        Engine engine = Engine.open(MODEL, backend, CONFIG.withoutSharing())) {
      for (int i = 0; i < REQUESTS; i++) {
        alone.add(read(engine.submit(request(i))));
      }
    }
    try (Backend backend = new CpuBackend(2);
        Engine engine = Engine.open(MODEL, backend, CONFIG.withCacheBytes(256 << 20))) {
      assertThat(together(engine)).isEqualTo(alone);
      long hits = engine.cacheStats().counters().hitTokens();
      assertThat(together(engine)).as("with all prompts cached").isEqualTo(alone);
      assertThat(engine.cacheStats().counters().hitTokens()).isGreaterThan(hits + 5_000);
    }
    for (boolean sharing : List.of(true, false)) {
      EngineConfig config = sharing ? CONFIG : CONFIG.withoutSharing();
      try (Backend backend = new CpuBackend(2);
          Engine engine = Engine.open(MODEL, backend, config.withCacheBytes(2 << 20))) {
        assertThat(together(engine)).as("in little room").isEqualTo(alone);
        assertThat(engine.stats().preemptions()).isPositive();
      }
    }
  }

  @Test
  void requests_halfAbortedAtRandom_leaveNothingBehind() throws InterruptedException {
    SplittableRandom random = new SplittableRandom(5);
    try (Backend backend = new CpuBackend(2);
        Engine engine = Engine.open(MODEL, backend, CONFIG.withCacheBytes(8 << 20))) {
      List<Thread> clients = new ArrayList<>();
      List<TokenStream> ended = new ArrayList<>();
      for (int i = 0; i < 1_000; i++) {
        Request request = request(random.nextInt(8) == 0 ? 0 : 1 + 2 * random.nextInt(8));
        int abortAfter = random.nextBoolean() ? random.nextInt(ANSWER) : -1;
        TokenStream stream = engine.submit(request);
        ended.add(stream);
        clients.add(Thread.startVirtualThread(() -> use(stream, abortAfter)));
      }
      for (Thread client : clients) {
        client.join();
      }
      assertThat(engine.stats().running() + engine.stats().waiting()).isZero();
      assertThat(engine.cacheStats().heldBlocks()).isZero();
      assertThat(engine.cacheStats().tables()).isZero();
      engine.verify();
      for (TokenStream stream : ended) {
        assertThat(stream.outcome().error()).isNull();
      }
    }
  }

  private static void use(TokenStream stream, int abortAfter) {
    try {
      for (int i = 0; i != abortAfter && stream.advance(); i++) {
        // A client that reads.
      }
      stream.cancel();
      while (stream.advance()) {
        // What was on its way.
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
