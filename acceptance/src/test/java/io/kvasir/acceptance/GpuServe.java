package io.kvasir.acceptance;

import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.KvStorage;
import io.kvasir.kvcache.tier.OffloadStats;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;

/// Measures the engine on a GPU with a model of the shape of Llama 3.1 8B and random weights.
final class GpuServe {
  private static final int VOCABULARY = 128_256;

  private static int vocabulary = VOCABULARY;

  private GpuServe() {}

  /// Runs `serve=FORMAT:REQUESTS:PROMPT:ANSWER:CACHE_GB[:TEMPERATURE[:SHARED[:HOW]]]`, where all
  /// prompts begin with the same SHARED tokens, which are read together and then by each, twice; or
  /// once, as HOW says: words of `together`, `apart`, `queued`, for steps without graphs, and
  /// `default`, for the default model. Or `restore=FORMAT:TOKENS`.
  static void run(String part, CudaBackend opened, Path model) throws IOException {
    String[] words = part.substring(part.indexOf('=') + 1).split(":", -1);
    boolean small = part.contains("default");
    Path folder = small ? model : GpuSpeed.writeLlama(Files.createTempDirectory("llama"));
    vocabulary = small ? 2000 : VOCABULARY;
    try (CudaBackend backend = opened) {
      if (!small) {
        backend.randomize(0.03f);
      }
      EngineConfig config =
          EngineConfig.DEFAULT.withStepTokens(2048).withKvFormat(KvRecipe.named(words[0]));
      if (part.startsWith("serve")) {
        int requests = Integer.parseInt(words[1]);
        int prompt = Integer.parseInt(words[2]);
        int answer = Integer.parseInt(words[3]);
        config =
            config
                .withContextTokens(prompt + answer + 64)
                .withCacheBytes(Long.parseLong(words[4]) << 30);
        float temperature = words.length > 5 ? Float.parseFloat(words[5]) : 0;
        SamplingOptions sampling = SamplingOptions.GREEDY.withTemperature(temperature);
        int shared = words.length > 6 ? Integer.parseInt(words[6]) : 0;
        String how = words.length > 7 ? words[7] : "";
        backend.captureSteps(!how.contains("queued"));
        try (Engine engine = Engine.open(folder, backend, config)) {
          for (int turn = 0; turn < (shared > 0 && how.isEmpty() ? 4 : 1); turn++) {
            boolean apart = turn % 2 == 1 || how.contains("apart");
            backend.shareBeginnings(apart ? Long.MAX_VALUE : CudaBackend.SHARED_READS);
            List<Request> all = new ArrayList<>();
            for (int i = 0; i < requests; i++) {
              int seed = turn * requests + i;
              all.add(request(seed, prompt, shared, answer, sampling.withSeed(i)));
            }
            if (turn == 0 && shared > 0) {
              finish(engine.submit(request(0, shared, shared, 1, sampling)));
            }
            serve(engine, backend, part + (turn % 2 == 0 ? "" : " apart"), all);
          }
        }
      } else {
        restore(folder, backend, config, Integer.parseInt(words[1]));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Request request(int seed, int prompt, int answer) {
    return request(seed, prompt, 0, answer, SamplingOptions.GREEDY);
  }

  /// A prompt of which the first `shared` tokens are those of others.
  private static Request request(
      int seed, int prompt, int shared, int answer, SamplingOptions sampling) {
    SplittableRandom all = new SplittableRandom(-3);
    SplittableRandom own = new SplittableRandom(seed);
    int[] ids = new int[prompt];
    for (int i = 0; i < prompt; i++) {
      ids[i] = (i < shared ? all : own).nextInt(vocabulary);
    }
    return new Request(ids, answer, sampling, Set.of());
  }

  private static void serve(Engine engine, CudaBackend backend, String name, List<Request> requests)
      throws InterruptedException {
    finish(engine.submit(request(-1, 50, 20)));
    long start = System.nanoTime();
    long replays = backend.replays();
    List<TokenStream> streams = new ArrayList<>();
    for (Request request : requests) {
      streams.add(engine.submit(request));
    }
    long tokens = 0;
    double decode = 0;
    for (TokenStream stream : streams) {
      Outcome outcome = finish(stream);
      tokens += outcome.completionTokens();
      decode += outcome.decodeRate() / requests.size();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        "%s: %,.0f tokens of answers a second (%.1f s), %.1f a second each, %d steps replayed,"
            + " %s%n",
        name, tokens / seconds, seconds, decode, backend.replays() - replays, engine.stats());
  }

  private static Outcome finish(TokenStream stream) throws InterruptedException {
    while (stream.advance()) {
      // The tokens do not matter.
    }
    Outcome outcome = stream.outcome();
    if (outcome.error() != null) {
      outcome.error().printStackTrace();
    }
    return outcome;
  }

  /// How long it takes to open a model whose weights are read from its file, which is one hole, and
  /// to have the first token of an answer.
  static void load(Path folder, CudaBackend opened) throws InterruptedException {
    long start = System.nanoTime();
    EngineConfig config = EngineConfig.DEFAULT.withCacheBytes(4L << 30).withContextTokens(4096);
    try (CudaBackend backend = opened;
        Engine engine = Engine.open(folder, backend, config)) {
      double open = (System.nanoTime() - start) / 1e9;
      finish(engine.submit(request(1, 100, 1)));
      double token = (System.nanoTime() - start) / 1e9;
      System.out.printf(
          "load: %.1f GB opened in %.2f s, %.1f GB/s; first token after %.2f s, %.2f s of the"
              + " process%n",
          engine.weightBytes() / 1e9,
          open,
          engine.weightBytes() / 1e9 / open,
          token,
          ManagementFactory.getRuntimeMXBean().getUptime() / 1e3);
    }
  }

  /// A prompt that was computed, left the device for the host's memory, and comes back.
  private static void restore(Path folder, CudaBackend backend, EngineConfig config, int tokens)
      throws InterruptedException {
    // Both prompts, in 16 bits.
    long host = (long) tokens * 300_000 + (1L << 30);
    EngineConfig tiered =
        config
            .withContextTokens(tokens + 2000)
            .withCacheBytes((long) tokens * 150_000 + (1L << 30))
            .withTiers(List.of((fingerprint, blockBytes) -> new HostTier(blockBytes, host, false)));
    try (Engine engine = Engine.open(folder, backend, tiered)) {
      finish(engine.submit(request(-2, 2000, 4)));
      Request wanted = request(1, tokens, 1);
      double computed = seconds(engine, wanted);
      // Another prompt of that length takes its place on the device.
      double other = seconds(engine, request(2, tokens + 1000, 1));
      for (int i = 0; i < 50 && Objects.requireNonNull(engine.offloadStats()).staged() == 0; i++) {
        Thread.sleep(100);
      }
      Thread.sleep(2000);
      OffloadStats before = Objects.requireNonNull(engine.offloadStats());
      double restored = seconds(engine, wanted);
      OffloadStats after = Objects.requireNonNull(engine.offloadStats());
      long blocks = after.promotedBlocks() - before.promotedBlocks();
      System.out.printf(
          "restore %d tokens: computed in %.2f s and %.2f s, restored in %.2f s, %d blocks of %.1f"
              + " MB: %.1f GB/s; %s%n",
          tokens,
          computed,
          other,
          restored,
          blocks,
          engine.layout().blockBytes() / 1e6,
          blocks * engine.layout().blockBytes() / restored / 1e9,
          after);
    }
  }

  private static double seconds(Engine engine, Request request) throws InterruptedException {
    long start = System.nanoTime();
    Outcome outcome = finish(engine.submit(request));
    if (outcome.error() != null) {
      System.out.println("error: " + outcome.error());
    }
    return (System.nanoTime() - start) / 1e9;
  }

  /// Takes all memory of the device but little, asks for what needs more, gives it back, asks
  /// again.
  ///
  /// @return whether the second answer was an error about memory, the third none, and no block was
  ///   lost
  static boolean memory(Path model, CudaBackend opened) {
    EngineConfig config = EngineConfig.DEFAULT.withCacheBytes(256L << 20).withStepTokens(2048);
    try (CudaBackend backend = opened;
        Engine engine = Engine.open(model, backend, config)) {
      Outcome first = finish(engine.submit(small(20, 20)));
      Outcome second;
      long free = backend.freeBytes();
      try (KvStorage hog = backend.storage(1 << 20, (int) (free >> 20) - 6)) {
        second = finish(engine.submit(small(1500, 20)));
        System.out.printf(
            "memory: %,d of %,d bytes taken: %s%n",
            hog.residentBytes(), free, second.error() == null ? "no error" : second.error());
      }
      Outcome third = finish(engine.submit(small(1500, 20)));
      engine.verify();
      boolean said =
          second.error() != null
              && String.valueOf(second.error().getMessage()).contains("too little memory");
      return first.reason() != FinishReason.ERROR
          && said
          && third.reason() != FinishReason.ERROR
          && engine.cacheStats().heldBlocks() == 0;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static Request small(int prompt, int answer) {
    int[] ids = new int[prompt];
    for (int i = 0; i < prompt; i++) {
      ids[i] = 5 + i * 31 % 2000;
    }
    return new Request(ids, answer, SamplingOptions.GREEDY, Set.of());
  }
}
