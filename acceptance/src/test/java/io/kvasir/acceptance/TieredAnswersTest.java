package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.resp.RespTier;
import io.kvasir.kvcache.resp.RespTierConfig;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The default model gives the same tokens wherever its cache has been: evicted to host memory and
/// back, on disk over a restart, in a shared store filled by another engine.
@Timeout(300)
final class TieredAnswersTest {
  private static final Path MODEL =
      ReferenceData.project().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  private static final int ANSWER = 12;
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withBlockTokens(16).withContextTokens(1024);

  @TempDir Path folder;

  private record Answer(List<Integer> tokens, int cachedTokens) {}

  private static int[] prompt(int seed, int length) {
    int[] tokens = new int[length];
    for (int i = 0; i < length; i++) {
      tokens[i] = 10 + (i * 131 + seed * 977 + i * i * 7) % 8000;
    }
    return tokens;
  }

  private static Answer answer(Engine engine, int[] prompt) throws InterruptedException {
    TokenStream stream =
        engine.submit(new Request(prompt, ANSWER, SamplingOptions.GREEDY, Set.of()));
    List<Integer> tokens = new ArrayList<>();
    while (stream.advance()) {
      tokens.add(stream.token());
    }
    assertThat(stream.outcome().error()).isNull();
    return new Answer(tokens, stream.outcome().cachedTokens());
  }

  private static List<Answer> answers(EngineConfig config, List<int[]> prompts)
      throws InterruptedException {
    try (Backend backend = new CpuBackend(2);
        Engine engine = Engine.open(MODEL, backend, config)) {
      List<Answer> answers = new ArrayList<>();
      for (int[] prompt : prompts) {
        answers.add(answer(engine, prompt));
      }
      engine.verify();
      return answers;
    }
  }

  private static List<List<Integer>> tokens(List<Answer> answers) {
    return answers.stream().map(Answer::tokens).toList();
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

  @Test
  void answers_poolTooSmallForThePrompts_comeBackFromHostMemory() throws Exception {
    List<int[]> prompts = new ArrayList<>();
    for (int round = 0; round < 2; round++) {
      for (int seed = 0; seed < 4; seed++) {
        prompts.add(prompt(seed, 200));
      }
    }
    List<List<Integer>> cold = tokens(answers(CONFIG.withoutSharing(), prompts));
    TierFactory host = (fingerprint, blockBytes) -> new HostTier(blockBytes, 64L << 20, true);
    // Room for one prompt and a half.
    EngineConfig tiny = CONFIG.withCacheBytes(20 * 65_536L).withTiers(List.of(host));
    List<Answer> warm = answers(tiny, prompts);
    assertThat(tokens(warm)).isEqualTo(cold);
    for (Answer second : warm.subList(4, 8)) {
      assertThat(second.cachedTokens()).isEqualTo(192);
    }
  }

  @Test
  void answers_afterARestart_comeFromDisk() throws Exception {
    List<int[]> prompts = List.of(prompt(1, 300), prompt(2, 150), prompt(3, 40));
    List<List<Integer>> cold = tokens(answers(CONFIG.withoutSharing(), prompts));
    EngineConfig config = CONFIG.withTiers(List.of(disk()));
    assertThat(tokens(answers(config, prompts))).isEqualTo(cold);
    List<Answer> warm = answers(config, prompts);
    assertThat(tokens(warm)).isEqualTo(cold);
    assertThat(warm.stream().map(Answer::cachedTokens)).containsExactly(288, 144, 32);
    // Another format makes another model's cache of it: nothing is found, nothing is wrong.
    EngineConfig other = config.withBlockTokens(32);
    assertThat(answers(other, prompts.subList(0, 1)).getFirst().cachedTokens()).isZero();
  }

  @Test
  void answers_fromAStoreThatAnotherEngineFilled_areTheSame() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    Process server = redis(port);
    try {
      TierFactory shared = (fingerprint, blockBytes) -> shared(port, fingerprint, blockBytes);
      List<int[]> prompts = List.of(prompt(5, 260), prompt(6, 100));
      List<List<Integer>> cold = tokens(answers(CONFIG.withoutSharing(), prompts));
      EngineConfig config = CONFIG.withTiers(List.of(shared));
      assertThat(tokens(answers(config, prompts))).isEqualTo(cold);
      List<Answer> warm = answers(config, prompts);
      assertThat(tokens(warm)).isEqualTo(cold);
      assertThat(warm.stream().map(Answer::cachedTokens)).containsExactly(256, 96);
      server.destroyForcibly().waitFor();
      assertThat(tokens(answers(config, prompts))).as("without the store").isEqualTo(cold);
    } finally {
      server.destroyForcibly();
    }
  }

  private static Tier shared(int port, String fingerprint, long blockBytes) {
    try {
      URI uri = URI.create("redis://127.0.0.1:" + port);
      return new RespTier(RespTierConfig.of(uri, (int) blockBytes, fingerprint));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process redis(int port) throws Exception {
    Process server;
    try {
      server =
          new ProcessBuilder(
                  "redis-server", "--port", "" + port, "--save", "", "--dir", folder.toString())
              .redirectErrorStream(true)
              .redirectOutput(Files.createTempFile(folder, "redis", ".log").toFile())
              .start();
    } catch (IOException e) {
      Assumptions.abort("[no-redis-server] redis-server is not installed");
      throw e;
    }
    for (int attempt = 0; attempt < 200; attempt++) {
      try {
        new Socket(InetAddress.getLoopbackAddress(), port).close();
        return server;
      } catch (IOException e) {
        Thread.sleep(25);
      }
    }
    server.destroyForcibly();
    throw new IllegalStateException("redis-server does not listen on port " + port);
  }
}
