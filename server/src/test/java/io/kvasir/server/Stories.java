package io.kvasir.server;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The default model behind a server on a free port, and a client.
final class Stories implements AutoCloseable {
  static final String NAME = "kvasir-stories";

  final Engine engine;
  final Tokenizer tokenizer;
  final ServedModel model;
  final KvasirServer server;
  final HttpClient client = HttpClient.newHttpClient();
  private final Backend backend;

  private Stories(ServerConfig config, @Nullable String template, EngineConfig settings)
      throws IOException {
    this(config, template, settings, 256L << 20);
  }

  private Stories(
      ServerConfig config, @Nullable String template, EngineConfig settings, long cacheBytes)
      throws IOException {
    backend = new CpuBackend(2);
    tokenizer = tokenizer();
    engine = Engine.open(file(), backend, settings.withBlockTokens(16).withCacheBytes(cacheBytes));
    Set<Integer> stops = new HashSet<>();
    for (int id : tokenizer.endOfGenerationIds()) {
      stops.add(id);
    }
    String source = template == null ? String.valueOf(tokenizer.chatTemplate()) : template;
    model = new ServedModel(NAME, engine, tokenizer, ChatTemplate.compile(source), stops);
    server = KvasirServer.start(model, config);
  }

  static Stories start() throws IOException {
    return start(ServerConfig.local(0));
  }

  static Stories start(ServerConfig config) throws IOException {
    return new Stories(config, null, EngineConfig.DEFAULT);
  }

  static Stories start(ServerConfig config, EngineConfig engine) throws IOException {
    return new Stories(config, null, engine);
  }

  /// With another chat template than the model's own, where `template` is not null.
  static Stories start(@Nullable String template, EngineConfig engine) throws IOException {
    return new Stories(ServerConfig.local(0), template, engine);
  }

  /// With so much memory for the cache.
  static Stories startWithCache(EngineConfig engine, long bytes) throws IOException {
    return new Stories(ServerConfig.local(0), null, engine, bytes);
  }

  private static Path file() {
    return Path.of(System.getProperty("kvasir.root", ".."))
        .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  }

  static Tokenizer tokenizer() throws IOException {
    try (GgufFile gguf = GgufFile.open(file())) {
      return Tokenizer.fromGguf(gguf.metadata().forTokenizer());
    }
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + server.port() + path);
  }

  HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(path)).build(), HttpResponse.BodyHandlers.ofString());
  }

  HttpRequest request(String path, String body) {
    return HttpRequest.newBuilder(uri(path))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
  }

  HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
    return client.send(request(path, body), HttpResponse.BodyHandlers.ofString());
  }

  HttpResponse<InputStream> open(String path, String body)
      throws IOException, InterruptedException {
    return client.send(request(path, body), HttpResponse.BodyHandlers.ofInputStream());
  }

  /// The parsed answer.
  JsonNode json(String path, String body) throws IOException, InterruptedException {
    return parse(post(path, body).body());
  }

  static JsonNode parse(String text) {
    return JsonMapper.shared().readTree(text);
  }

  /// Waits until nothing runs or waits.
  void awaitIdle() throws InterruptedException {
    for (int i = 0; i < 500 && engine.stats().running() + engine.stats().waiting() > 0; i++) {
      Thread.sleep(10);
    }
  }

  @Override
  public void close() {
    client.close();
    server.close();
    engine.close();
    backend.close();
  }
}
