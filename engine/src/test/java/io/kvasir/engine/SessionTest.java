package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Conversations that are forked, rewound, saved and loaded answer as if they had been computed
/// anew.
@Timeout(120)
final class SessionTest {
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT
          .withBlockTokens(16)
          .withKvFormat(KvRecipe.of(KvFormat.F32))
          .withCacheBytes(4 << 20);

  @TempDir Path folder;

  private static int[] prompt(int count) {
    int[] tokens = new int[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = i * 31 % 290 + 5;
    }
    return tokens;
  }

  private static TokenStream drained(Engine engine, int[] prompt, Session session, List<Integer> to)
      throws InterruptedException {
    TokenStream stream =
        engine.submit(new Request(prompt, 10, SamplingOptions.GREEDY, Set.of(), session));
    while (stream.advance()) {
      to.add(stream.token());
    }
    assertThat(stream.outcome().error()).isNull();
    return stream;
  }

  private static List<Integer> cold(String model, int[] prompt) throws InterruptedException {
    try (Backend backend = new ReferenceBackend();
        Engine engine =
            Engine.open(ReferenceModels.model(model), backend, CONFIG.withoutSharing());
        Session session = engine.openSession()) {
      List<Integer> tokens = new ArrayList<>();
      drained(engine, prompt, session, tokens);
      return tokens;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"int4", "kvarn4", "int8+s128t64", "int4[0=int8]"})
  void session_ofCodesAndExactRows_goesOnWhereLoaded(String format) throws Exception {
    EngineConfig config = CONFIG.withBlockTokens(64).withKvFormat(KvRecipe.named(format));
    int[] prompt = prompt(210);
    Path file = folder.resolve("talk.kvs");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model("llama-gqa"), backend, config);
        Session session = engine.openSession()) {
      drained(engine, prompt, session, new ArrayList<>());
      session.save(file);
    }
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model("llama-gqa"), backend, config);
        Engine cold =
            Engine.open(ReferenceModels.model("llama-gqa"), backend, config.withoutSharing());
        Session session = engine.loadSession(file, "");
        Session fresh = cold.openSession()) {
      int[] longer = Arrays.copyOf(session.heldTokens(), 230);
      List<Integer> tokens = new ArrayList<>();
      TokenStream stream = drained(engine, longer, session, tokens);
      assertThat(stream.outcome().cachedTokens()).isEqualTo(219);
      List<Integer> expected = new ArrayList<>();
      drained(cold, longer, fresh, expected);
      assertThat(tokens).isEqualTo(expected);
      engine.verify();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-gqa", "gemma3", "deepseek_v3-mla"})
  void session_savedAndLoadedElsewhere_goesOn(String model) throws Exception {
    int[] prompt = prompt(70);
    List<Integer> expected = cold(model, prompt);
    Path file = folder.resolve("talk.kvs");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG);
        Session session = engine.openSession()) {
      List<Integer> tokens = new ArrayList<>();
      drained(engine, prompt, session, tokens);
      session.save(file);
      assertThat(tokens).isEqualTo(expected);
      engine.verify();
    }
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG);
        Session session = engine.loadSession(file, "")) {
      assertThat(session.heldTokens()).hasSize(79).startsWith(prompt);
      int[] longer = Arrays.copyOf(session.heldTokens(), 85);
      List<Integer> tokens = new ArrayList<>();
      TokenStream stream = drained(engine, longer, session, tokens);
      assertThat(stream.outcome().cachedTokens()).isEqualTo(79);
      assertThat(tokens).isEqualTo(cold(model, longer));
      engine.verify();
      byte[] bytes = Files.readAllBytes(file);
      bytes[bytes.length - 100] ^= 4;
      Path damaged = Files.write(folder.resolve("damaged.kvs"), bytes);
      assertThatThrownBy(() -> engine.loadSession(damaged, "apart"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("damaged");
      Path cut = Files.write(folder.resolve("cut.kvs"), Arrays.copyOf(bytes, 300));
      assertThatThrownBy(() -> engine.loadSession(cut, "apart"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("damaged");
      engine.verify();
    }
    EngineConfig other = CONFIG.withBlockTokens(32);
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, other)) {
      assertThatThrownBy(() -> engine.loadSession(file, ""))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("block size");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-gqa", "gemma3"})
  void session_forkedAndRewound_answersAsIfComputedAnew(String model) throws Exception {
    int[] prompt = prompt(70);
    int[] branch = prompt(60);
    branch[57] = 9;
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG);
        Session session = engine.openSession()) {
      List<Integer> first = new ArrayList<>();
      drained(engine, prompt, session, first);
      try (Session fork = session.fork()) {
        assertThat(fork.heldTokens()).isEqualTo(session.heldTokens());
        assertThat(fork.rewind(57)).isEqualTo(57);
        List<Integer> branched = new ArrayList<>();
        TokenStream stream = drained(engine, branch, fork, branched);
        assertThat(stream.outcome().cachedTokens()).isEqualTo(57);
        assertThat(branched).isEqualTo(cold(model, branch));
        assertThatThrownBy(() -> fork.rewind(1000)).hasMessageContaining("1000");
      }
      List<Integer> again = new ArrayList<>();
      drained(engine, prompt, session, again);
      assertThat(again).isEqualTo(first).isEqualTo(cold(model, prompt));
      engine.verify();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-gqa"})
  void request_cancelledBeforeItStarts_leavesItsSessionAlone(String model) throws Exception {
    int[] prompt = prompt(70);
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG)) {
      Session session = engine.openSession();
      List<Integer> first = new ArrayList<>();
      drained(engine, prompt, session, first);
      // The second waits for the first, which uses the session.
      TokenStream running =
          engine.submit(new Request(prompt, 60, SamplingOptions.GREEDY, Set.of(), session));
      TokenStream waiting =
          engine.submit(new Request(prompt, 60, SamplingOptions.GREEDY, Set.of(), session));
      waiting.cancel();
      while (waiting.advance()) {}
      while (running.advance()) {}
      assertThat(running.outcome().error()).isNull();
      List<Integer> again = new ArrayList<>();
      TokenStream last = drained(engine, prompt, session, again);
      assertThat(again).isEqualTo(first);
      assertThat(last.outcome().cachedTokens()).isEqualTo(69);
      session.close();
      engine.verify();
      assertThat(engine.cacheStats().tables()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gemma3"})
  void loadSession_fileLacksBlocks_isRefused(String model) throws Exception {
    Path file = folder.resolve("talk.kvs");
    try (Backend backend = new ReferenceBackend();
        Engine engine = Engine.open(ReferenceModels.model(model), backend, CONFIG);
        Session session = engine.openSession()) {
      drained(engine, prompt(70), session, new ArrayList<>());
      session.save(file);
      byte[] bytes = Files.readAllBytes(file);
      // Both groups say that they have no blocks, under a checksum that fits.
      int head = 48 + 16 + 4 * 79;
      ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 48; at < 64; at += 4) {
        buffer.putInt(at, 0);
      }
      CRC32C crc = new CRC32C();
      crc.update(bytes, 0, head);
      buffer.putInt(head, (int) crc.getValue());
      Path hollow = Files.write(folder.resolve("hollow.kvs"), Arrays.copyOf(bytes, head + 4));
      assertThatThrownBy(() -> engine.loadSession(hollow, "apart"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("damaged");
      engine.verify();
    }
  }
}
