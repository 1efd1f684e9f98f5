package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Output;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.Session;
import io.kvasir.engine.Terms;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.TierFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A chat with a pinned system prompt that is pruned at every turn: its answers depend on nothing
/// but its turns, and nobody else finds what is left of it.
@Timeout(300)
final class PrunedChatTest {
  private static final Path MODEL =
      ReferenceData.project().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  private static final int SYSTEM = 90;
  private static final int TURNS = 4;
  private static final int ANSWER = 12;

  @TempDir Path folder;

  private record Answer(
      List<Integer> tokens, List<Integer> scoreBits, int cachedTokens, int dropped) {
    String told() {
      return tokens + " " + scoreBits;
    }
  }

  private static EngineConfig config(String recipe) {
    return EngineConfig.DEFAULT.withContextTokens(1024).withKvFormat(KvRecipe.named(recipe));
  }

  private static int[] behind(int[] before, int count, int seed) {
    int[] tokens = Arrays.copyOf(before, before.length + count);
    for (int i = before.length; i < tokens.length; i++) {
      tokens[i] = 10 + (i * 131 + seed * 977 + i * i * 7) % 8000;
    }
    return tokens;
  }

  private static Answer ask(
      Engine engine, @Nullable Session session, int[] prompt, PruneOptions prune)
      throws InterruptedException {
    Request request =
        new Request(
            prompt,
            ANSWER,
            SamplingOptions.GREEDY,
            Set.of(),
            Terms.DEFAULT,
            new Output(0, 0, false, null),
            session,
            prune);
    TokenStream stream = engine.submit(request);
    List<Integer> tokens = new ArrayList<>();
    List<Integer> bits = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
      bits.add(Float.floatToRawIntBits(Objects.requireNonNull(stream.scores()).logProbability()));
    }
    assertThat(stream.outcome().error()).isNull();
    return new Answer(
        tokens, bits, stream.outcome().cachedTokens(), stream.outcome().prunedTokens());
  }

  /// The chat, turn by turn, each after something else was asked.
  ///
  /// @param between what is asked between turns, or null for nothing
  private static List<Answer> chat(Engine engine, PruneOptions prune, int @Nullable [] between)
      throws InterruptedException {
    List<Answer> answers = new ArrayList<>();
    try (Session session = engine.openSession()) {
      int[] prompt = behind(new int[0], SYSTEM, 1);
      for (int turn = 0; turn < TURNS; turn++) {
        prompt = behind(prompt, 130, 5 + turn);
        Answer answer = ask(engine, session, prompt, prune);
        answers.add(answer);
        int length = prompt.length;
        prompt = Arrays.copyOf(prompt, length + answer.tokens.size());
        for (int i = 0; i < answer.tokens.size(); i++) {
          prompt[length + i] = answer.tokens.get(i);
        }
        if (between != null) {
          fill(engine, between);
        }
      }
    }
    engine.verify();
    return answers;
  }

  /// Asks more at once than there is room for.
  private static void fill(Engine engine, int[] prompt) throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      int[] own = prompt.clone();
      own[0] += i;
      streams.add(engine.submit(new Request(own, 2, SamplingOptions.GREEDY, Set.of())));
    }
    for (TokenStream stream : streams) {
      while (stream.advance()) {}
      assertThat(stream.outcome().error()).isNull();
    }
  }

  private static List<String> told(List<Answer> answers) {
    return answers.stream().map(Answer::told).toList();
  }

  private interface Use<T> {
    T of(Engine engine) throws InterruptedException;
  }

  private static <T> T with(EngineConfig config, Use<T> use) throws InterruptedException {
    try (Backend backend = new CpuBackend(2);
        Engine engine = Engine.open(MODEL, backend, config)) {
      return use.of(engine);
    }
  }

  private TierFactory disk() {
    return (fingerprint, blockBytes) -> {
      try {
        return DiskTier.open(new DiskTierConfig(folder, (int) blockBytes, 256L << 20, fingerprint));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }

  @ParameterizedTest
  @CsvSource({"int4,kvzap:0.6", "k8v4+s64t64,snapkv:0.6"})
  void turns_prunedEachTime_answerAlikeHoweverTheCacheIsUsed(String recipe, String policy)
      throws InterruptedException {
    EngineConfig config = config(recipe);
    PruneOptions prune = PruneOptions.parse(policy).withPinned(SYSTEM);
    List<Answer> alone = with(config.withoutSharing(), engine -> chat(engine, prune, null));
    assertThat(alone.stream().mapToInt(Answer::dropped).sum()).isGreaterThan(250);
    List<String> expected = told(alone);
    assertThat(told(with(config.withStepTokens(37), engine -> chat(engine, prune, null))))
        .as("chunks")
        .isEqualTo(expected);
    int[] large = behind(new int[0], 900, 77);
    // What one turn keeps is gone when the next one comes, into host memory and back.
    TierFactory host = (fingerprint, blockBytes) -> new HostTier(blockBytes, 64L << 20, true);
    long bytes =
        with(config, engine -> engine.layout().blocksFor(2048, 128) * engine.layout().blockBytes());
    EngineConfig little = config.withCacheBytes(bytes).withStepTokens(128);
    List<Answer> interrupted = with(little, engine -> chat(engine, prune, large));
    assertThat(told(interrupted)).as("in little room").isEqualTo(expected);
    assertThat(interrupted.stream().mapToInt(Answer::cachedTokens).sum())
        .isLessThan(alone.stream().mapToInt(Answer::cachedTokens).sum());
    assertThat(told(with(little.withTiers(List.of(host)), engine -> chat(engine, prune, large))))
        .as("above a tier")
        .isEqualTo(expected);
    EngineConfig stored = config.withTiers(List.of(disk()));
    assertThat(told(with(stored, engine -> chat(engine, prune, null)))).isEqualTo(expected);
    assertThat(told(with(stored, engine -> chat(engine, prune, null))))
        .as("after a restart")
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"f16,kvzap:0.7", "int4,snapkv:0.7"})
  void prefixes_afterAPrunedChat_areThoseOfWholeOnes(String recipe, String policy)
      throws InterruptedException {
    PruneOptions prune = PruneOptions.parse(policy).withPinned(SYSTEM);
    EngineConfig config = config(recipe);
    List<String> whole = told(with(config, engine -> chat(engine, PruneOptions.NONE, null)));
    EngineConfig stored = config.withTiers(List.of(disk()));
    List<String> pruned =
        with(
            stored,
            engine -> {
              List<String> first = told(chat(engine, prune, null));
              assertThat(first.getFirst()).isNotEqualTo(whole.getFirst());
              // The same turns, whole, in a chat of their own and then pruned again.
              assertThat(told(chat(engine, PruneOptions.NONE, null))).isEqualTo(whole);
              assertThat(told(chat(engine, prune, null))).isEqualTo(first);
              int[] system = behind(new int[0], SYSTEM, 1);
              Answer other = ask(engine, null, behind(system, 40, 99), PruneOptions.NONE);
              assertThat(other.cachedTokens).isGreaterThanOrEqualTo(64);
              return first;
            });
    with(
        stored,
        engine -> {
          assertThat(told(chat(engine, PruneOptions.NONE, null))).as("restart").isEqualTo(whole);
          assertThat(told(chat(engine, prune, null))).as("restart").isEqualTo(pruned);
          return true;
        });
  }
}
