package io.kvasir.clients;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.tokenizer.Tokenizer;
import io.kvasir.server.KvasirServer;
import io.kvasir.server.ServedModel;
import io.kvasir.server.ServerConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The default model behind a server on a free port. With the system property `kvasir.clients.url`
/// clients go there instead, for example through `scripts/clients/record.mjs`.
final class Served implements AutoCloseable {
  static final String NAME = "kvasir-stories";

  private final Backend backend = new CpuBackend(2);
  private final Engine engine;
  private final KvasirServer server;

  Served() throws IOException {
    Path file =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
    Tokenizer tokenizer;
    try (GgufFile gguf = GgufFile.open(file)) {
      tokenizer = Tokenizer.fromGguf(gguf.metadata().forTokenizer());
    }
    engine =
        Engine.open(
            file, backend, EngineConfig.DEFAULT.withBlockTokens(16).withCacheBytes(256L << 20));
    Set<Integer> stops = new HashSet<>();
    for (int id : tokenizer.endOfGenerationIds()) {
      stops.add(id);
    }
    ChatTemplate template = ChatTemplate.compile(String.valueOf(tokenizer.chatTemplate()));
    server =
        KvasirServer.start(
            new ServedModel(NAME, engine, tokenizer, template, stops), ServerConfig.local(0));
  }

  /// What clients call the base URL, with `/v1`.
  String url() {
    String given = System.getProperty("kvasir.clients.url");
    return (given != null ? given : "http://127.0.0.1:" + server.port()) + "/v1";
  }

  static JsonNode parse(String text) {
    return JsonMapper.shared().readTree(text);
  }

  @Override
  public void close() {
    server.close();
    engine.close();
    backend.close();
  }
}
