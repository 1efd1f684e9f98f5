package io.kvasir.server;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// One tab of a headless Chromium, driven through its DevTools protocol.
final class Browser implements AutoCloseable {
  private static final List<String> PLACES =
      List.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome");
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /// Exceptions and errors that the page wrote to its console.
  final List<String> errors = new CopyOnWriteArrayList<>();

  /// Every address that the page asked for.
  final List<String> requests = new CopyOnWriteArrayList<>();

  private final Process process;
  private final Path folder;
  private final HttpClient client = HttpClient.newHttpClient();
  private final WebSocket socket;
  private final AtomicInteger ids = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> pending = new ConcurrentHashMap<>();

  /// The program, or null where this machine has none.
  static @Nullable Path program() {
    return PLACES.stream().map(Path::of).filter(Files::isExecutable).findFirst().orElse(null);
  }

  Browser(Path program) throws IOException, InterruptedException {
    folder = Files.createTempDirectory("kvasir-browser");
    process =
        new ProcessBuilder(
                program.toString(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                "--user-data-dir=" + folder,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start();
    socket =
        client
            .newWebSocketBuilder()
            .buildAsync(URI.create(tab(port())), new Messages())
            .orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS)
            .join();
    for (String domain : List.of("Page", "Runtime", "Network", "Log")) {
      call(domain + ".enable", Map.of());
    }
  }

  private String port() throws IOException, InterruptedException {
    Path file = folder.resolve("DevToolsActivePort");
    for (int i = 0; i < 300; i++) {
      if (Files.exists(file) && !Files.readString(file).isBlank()) {
        return Files.readAllLines(file).getFirst();
      }
      Thread.sleep(100);
    }
    throw new IOException("the browser does not start: " + Files.readString(folder.resolve("log")));
  }

  private String tab(String port) throws IOException, InterruptedException {
    HttpRequest list =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json/list")).build();
    for (int i = 0; i < 100; i++) {
      String body = client.send(list, HttpResponse.BodyHandlers.ofString()).body();
      for (JsonNode target : JsonMapper.shared().readTree(body)) {
        if (target.get("type").stringValue().equals("page")) {
          return target.get("webSocketDebuggerUrl").stringValue();
        }
      }
      Thread.sleep(100);
    }
    throw new IOException("the browser has no tab");
  }

  /// Puts messages together and hands them to who waits.
  private final class Messages implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        take(JsonMapper.shared().readTree(text.toString()));
        text.setLength(0);
      }
      from.request(1);
      return null;
    }
  }

  private void take(JsonNode message) {
    if (message.has("id")) {
      CompletableFuture<JsonNode> waiting = pending.remove(message.get("id").intValue());
      if (waiting != null) {
        waiting.complete(message);
      }
      return;
    }
    JsonNode params = message.path("params");
    switch (message.path("method").stringValue("")) {
      case "Runtime.exceptionThrown" -> errors.add(params.toString());
      case "Runtime.consoleAPICalled" -> {
        if (params.path("type").stringValue("").equals("error")) {
          errors.add(params.toString());
        }
      }
      case "Log.entryAdded" -> {
        if (params.at("/entry/level").stringValue("").equals("error")) {
          errors.add(params.toString());
        }
      }
      case "Network.requestWillBeSent" -> requests.add(params.at("/request/url").stringValue(""));
      default -> {}
    }
  }

  JsonNode call(String method, Map<String, Object> params) {
    int id = ids.incrementAndGet();
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    pending.put(id, answer);
    ObjectNode message = JsonMapper.shared().createObjectNode();
    message.put("id", id).put("method", method);
    message.set("params", JsonMapper.shared().valueToTree(params));
    socket.sendText(message.toString(), true).join();
    JsonNode result = answer.orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
    if (result.has("error")) {
      throw new IllegalStateException(method + ": " + result.get("error"));
    }
    return result.get("result");
  }

  void open(URI address) {
    call("Page.navigate", Map.of("url", address.toString()));
    await("document.readyState === 'complete'");
  }

  /// The value of an expression or of the promise that it makes.
  JsonNode eval(String expression) {
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of("expression", expression, "awaitPromise", true, "returnByValue", true));
    if (result.has("exceptionDetails")) {
      throw new IllegalStateException(expression + ": " + result.get("exceptionDetails"));
    }
    return result.at("/result/value");
  }

  String text(String expression) {
    return eval("String(" + expression + ")").stringValue();
  }

  /// Waits until an expression is true.
  void await(String expression) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!holds(expression)) {
      if (System.nanoTime() > end) {
        throw new AssertionError("never true: " + expression + "; console: " + errors);
      }
      try {
        Thread.sleep(40);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private boolean holds(String expression) {
    try {
      return eval("Boolean(" + expression + ")").booleanValue();
    } catch (IllegalStateException navigating) {
      return false;
    }
  }

  /// Presses one key: `Tab`, `Enter`, `ArrowRight`, ...
  void press(String key) {
    int code =
        switch (key) {
          case "Tab" -> 9;
          case "Enter" -> 13;
          case "Escape" -> 27;
          case "End" -> 35;
          case "Home" -> 36;
          case "ArrowLeft" -> 37;
          case "ArrowUp" -> 38;
          case "ArrowRight" -> 39;
          case "ArrowDown" -> 40;
          default -> throw new IllegalArgumentException(key);
        };
    Map<String, Object> press =
        Map.of(
            "key", key, "code", key, "windowsVirtualKeyCode", code, "nativeVirtualKeyCode", code);
    java.util.HashMap<String, Object> down = new java.util.HashMap<>(press);
    down.put("type", key.equals("Enter") ? "keyDown" : "rawKeyDown");
    if (key.equals("Enter")) {
      down.put("text", "\r");
    }
    call("Input.dispatchKeyEvent", down);
    java.util.HashMap<String, Object> up = new java.util.HashMap<>(press);
    up.put("type", "keyUp");
    call("Input.dispatchKeyEvent", up);
  }

  void type(String text) {
    call("Input.insertText", Map.of("text", text));
  }

  void size(int width, int height) {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
  }

  void prefer(String scheme) {
    call(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
  }

  void screenshot(Path file) throws IOException {
    JsonNode shot = call("Page.captureScreenshot", Map.of("format", "png"));
    Files.write(file, Base64.getDecoder().decode(shot.get("data").stringValue()));
  }

  @Override
  public void close() {
    socket.abort();
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    client.shutdownNow();
    try (Stream<Path> all = Files.walk(folder)) {
      all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
    } catch (IOException e) {
      // A temporary folder stays behind.
    }
  }
}
