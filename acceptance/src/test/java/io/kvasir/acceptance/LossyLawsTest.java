package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.compute.onednn.OneDnnMatrices;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.TierFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a coded cache forgets does not depend on how it is used: the default model gives the same
/// tokens with the same bits of their log-probabilities whether prompts are computed or found, cut
/// into large or small chunks, alone or beside others, in little room, evicted to lower tiers or
/// kept over a restart.
@Timeout(300)
final class LossyLawsTest {
  private static final Path MODEL =
      ReferenceData.project().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  private static final int REQUESTS = 5;
  private static final int SHARED = 150;

  @TempDir Path folder;

  private PruneOptions prune = PruneOptions.NONE;

  private Supplier<Backend> backends = () -> new CpuBackend(2);

  private record Answer(List<Integer> tokens, List<Integer> scoreBits) {}

  private static EngineConfig config(String recipe) {
    return EngineConfig.DEFAULT.withContextTokens(1024).withKvFormat(KvRecipe.named(recipe));
  }

  /// Prompts of 170 to 330 tokens, of which most begin alike and leave each other inside a block.
  private Request request(int index) {
    int shared = index < 4 ? SHARED + 3 * index : 0;
    int[] tokens = new int[170 + 40 * index];
    for (int i = 0; i < tokens.length; i++) {
      int seed = i < shared ? 0 : index + 1;
      tokens[i] = 10 + (i * 131 + seed * 977 + i * i * 7) % 8000;
    }
    // Some outgrow what they were given room for when they started.
    int answer = index == 1 || index == 2 ? 110 : 24;
    return new Request(tokens, answer, SamplingOptions.GREEDY, Set.of())
        .withScores(0)
        .withPrune(prune);
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

  private List<Answer> oneByOne(Engine engine) throws InterruptedException {
    List<Answer> answers = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      answers.add(read(engine.submit(request(i))));
    }
    engine.verify();
    return answers;
  }

  private List<Answer> together(Engine engine) throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      streams.add(engine.submit(request(i)));
    }
    List<Answer> answers = new ArrayList<>();
    for (TokenStream stream : streams) {
      answers.add(read(stream));
    }
    engine.verify();
    return answers;
  }

  private List<Answer> oneByOne(EngineConfig config) throws InterruptedException {
    try (Backend backend = backends.get();
        Engine engine = Engine.open(MODEL, backend, config)) {
      return oneByOne(engine);
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
  @ValueSource(
      strings = {
        "int8",
        "int4",
        "k8v4+s64t64",
        "k4v2",
        "lm3",
        "kivi4",
        "q4_0",
        "int4[0,-1=int8;3=k8v4+s64t64;5=f16]"
      })
  void answers_howeverTheCacheIsUsed_haveTheSameBits(String recipe) throws Exception {
    checkLaws(recipe);
  }

  /// What policies drop, or leave out, is no function of tiers and restarts either.
  @ParameterizedTest
  @CsvSource({
    "f16,snapkv:0.6",
    "int4[0=int8;2=f16],keydiff:0.6",
    "f16,quest:0.8",
    "int4,quest:0.6"
  })
  void answers_prunedHoweverTheCacheIsUsed_haveTheSameBits(String recipe, String policy)
      throws Exception {
    prune = PruneOptions.parse(policy);
    checkLaws(recipe);
  }

  @ParameterizedTest
  @CsvSource({"f16,MACHINE_BF16", "int4,MACHINE_BF16", "f16,MACHINE_AMX", "int4,MACHINE_AMX"})
  void answers_inBf16_haveTheSameBits(String recipe, KernelCode code) throws Exception {
    String missing = code.missing();
    Assumptions.assumeTrue(missing == null, () -> "[no-bf16-here] " + missing);
    backends = () -> new CpuBackend(2, null, code);
    checkLaws(recipe);
  }

  @ParameterizedTest
  @EnumSource(OneDnnMatrices.Format.class)
  void answers_matricesByOneDnn_haveTheSameBits(OneDnnMatrices.Format format) throws Exception {
    String home = System.getProperty("user.home");
    String caches = System.getenv().getOrDefault("XDG_CACHE_HOME", home + "/.cache");
    Path installed = Path.of(caches, "kvasir", "onednn");
    Assumptions.assumeTrue(
        Files.exists(installed), "[no-onednn] scripts/onednn.sh installs the library");
    backends =
        () -> {
          OneDnnMatrices.Opening opening = OneDnnMatrices.open(installed, format, 2, 1L << 30);
          assertThat(opening).isInstanceOf(OneDnnMatrices.Opened.class);
          return new CpuBackend(2, ((OneDnnMatrices.Opened) opening).provider());
        };
    checkLaws("f16");
  }

  private void checkLaws(String recipe) throws Exception {
    EngineConfig config = config(recipe);
    List<Answer> cold = oneByOne(config.withoutSharing());
    assertThat(oneByOne(config.withoutSharing().withStepTokens(37))).as("chunks").isEqualTo(cold);
    if (!prune.drops()) {
      // Tokens are dropped of whole blocks.
      EngineConfig blocks = config.withoutSharing().withBlockTokens(128);
      assertThat(oneByOne(blocks)).as("blocks").isEqualTo(cold);
    }
    try (Backend backend = backends.get();
        Engine engine = Engine.open(MODEL, backend, config.withCacheBytes(64 << 20))) {
      assertThat(oneByOne(engine)).as("prefixes found").isEqualTo(cold);
      long hits = engine.cacheStats().counters().hitTokens();
      assertThat(together(engine)).as("whole prompts found").isEqualTo(cold);
      assertThat(engine.cacheStats().counters().hitTokens()).isGreaterThan(hits + 600);
    }
    checkInLittleRoom(config, cold);
    checkOverARestart(config, cold);
  }

  /// Room for fewer sequences than want to run, and what does not fit goes to host memory.
  private void checkInLittleRoom(EngineConfig config, List<Answer> cold)
      throws InterruptedException {
    TierFactory host = (fingerprint, blockBytes) -> new HostTier(blockBytes, 64L << 20, true);
    try (Backend backend = backends.get();
        Engine sized = Engine.open(MODEL, backend, config)) {
      long bytes =
          sized.layout().blocksFor(prune.drops() ? 900 : 500, 128) * sized.layout().blockBytes();
      EngineConfig little = config.withCacheBytes(bytes).withStepTokens(128);
      try (Engine engine = Engine.open(MODEL, backend, little)) {
        assertThat(together(engine)).as("in little room").isEqualTo(cold);
      }
      try (Engine engine = Engine.open(MODEL, backend, little.withTiers(List.of(host)))) {
        assertThat(oneByOne(engine)).as("above a tier").isEqualTo(cold);
        assertThat(oneByOne(engine)).as("back from a tier").isEqualTo(cold);
      }
    }
  }

  private void checkOverARestart(EngineConfig config, List<Answer> cold)
      throws InterruptedException {
    EngineConfig stored = config.withTiers(List.of(disk()));
    assertThat(oneByOne(stored)).as("before a restart").isEqualTo(cold);
    try (Backend backend = backends.get();
        Engine engine = Engine.open(MODEL, backend, stored)) {
      TokenStream stream = engine.submit(request(4));
      assertThat(read(stream)).as("after a restart").isEqualTo(cold.get(4));
      assertThat(stream.outcome().cachedTokens()).isGreaterThanOrEqualTo(256);
    }
  }
}
