package io.kvasir.model.hub;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// A hub with one repository, `owner/repo`, and a download server on a second port to which large
/// files are redirected; each fault is a field.
final class FakeHub implements AutoCloseable {
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  static final ModelName NAME = ModelName.parse("owner/repo");

  /// What one request looked like.
  record Seen(boolean cdn, String path, @Nullable String range, @Nullable String authorization) {
    boolean isContent() {
      return path.contains("/resolve/") || cdn;
    }
  }

  final Map<String, byte[]> files = new LinkedHashMap<>();
  private final Map<String, String> hashes = new ConcurrentHashMap<>();
  final Map<String, String> wrongHash = new LinkedHashMap<>();
  final ConcurrentLinkedQueue<Seen> seen = new ConcurrentLinkedQueue<>();
  final AtomicLong contentBytes = new AtomicLong();
  final AtomicInteger mostConnections = new AtomicInteger();
  private final AtomicInteger openConnections = new AtomicInteger();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final HttpServer hub;
  private final HttpServer cdn;

  volatile int pageSize = 1000;
  volatile boolean redirectLarge = true;
  volatile boolean ranges = true;
  volatile int largeBytes = 100_000;

  /// Each content answer is cut after so many bytes, this many times.
  volatile int cutAfterBytes = Integer.MAX_VALUE;

  final AtomicInteger cuts = new AtomicInteger();

  /// Instead of cutting, keep the connection open and send nothing more.
  volatile boolean stallInsteadOfCut;

  /// Pause after each 64 KiB of content.
  volatile Duration slowness = Duration.ZERO;

  /// Status for the next requests to the API and to content; used up one by one, 0 means success.
  final ConcurrentLinkedQueue<Integer> apiStatuses = new ConcurrentLinkedQueue<>();

  final ConcurrentLinkedQueue<Integer> contentStatuses = new ConcurrentLinkedQueue<>();
  final Map<String, String> errorHeaders = new LinkedHashMap<>();
  volatile @Nullable String treeOverride;
  volatile @Nullable String infoOverride;
  volatile @Nullable String locationOverride;
  volatile @Nullable String linkedEtagOverride;

  FakeHub() throws IOException {
    hub = start(this::onHub);
    cdn = start(this::onCdn);
  }

  private HttpServer start(com.sun.net.httpserver.HttpHandler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 50);
    server.setExecutor(threads);
    server.createContext("/", handler);
    server.start();
    return server;
  }

  URI endpoint() {
    return URI.create("http://127.0.0.1:" + hub.getAddress().getPort());
  }

  /// Adds a file of random content.
  byte[] add(String path, int bytes) {
    byte[] content = new byte[bytes];
    new SplittableRandom(path.hashCode()).nextBytes(content);
    files.put(path, content);
    return content;
  }

  void add(String path, String text) {
    files.put(path, text.getBytes(StandardCharsets.UTF_8));
  }

  String hash(String path) {
    byte[] content = content(path);
    String wrong = wrongHash.get(path);
    return wrong != null
        ? wrong
        : hashes.computeIfAbsent(
            path, p -> content.length >= largeBytes ? sha256(content) : gitSha1(content));
  }

  private byte[] content(String path) {
    return Objects.requireNonNull(files.get(path), path);
  }

  long requests(String part) {
    return seen.stream().filter(s -> s.path().contains(part)).count();
  }

  List<String> contentRanges() {
    List<String> result = new ArrayList<>();
    for (Seen s : seen) {
      if (s.path().startsWith("/cdn/")) {
        result.add(String.valueOf(s.range()));
      }
    }
    return result;
  }

  private void onHub(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      note(false, exchange);
      if (path.contains("/resolve/")) {
        content(exchange, path);
        return;
      }
      Integer status = apiStatuses.poll();
      if (status != null && status != 0) {
        fail(exchange, status);
      } else if (path.equals("/api/models/owner/repo/revision/main")) {
        String info = infoOverride;
        json(exchange, info == null ? "{\"id\":\"owner/repo\",\"sha\":\"" + COMMIT + "\"}" : info);
      } else if (path.equals("/api/models/owner/repo/tree/" + COMMIT)) {
        tree(exchange);
      } else {
        exchange.getResponseHeaders().set("X-Error-Code", "RevisionNotFound");
        exchange.sendResponseHeaders(404, -1);
      }
    }
  }

  private void tree(HttpExchange exchange) throws IOException {
    String override = treeOverride;
    if (override != null) {
      json(exchange, override);
      return;
    }
    String query = exchange.getRequestURI().getQuery();
    int from = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    List<String> paths = List.copyOf(files.keySet());
    int to = Math.min(paths.size(), from + pageSize);
    if (to < paths.size()) {
      exchange
          .getResponseHeaders()
          .set(
              "Link",
              "<"
                  + endpoint()
                  + "/api/models/owner/repo/tree/"
                  + COMMIT
                  + "?recursive=true&cursor="
                  + to
                  + ">; rel=\"next\"");
    }
    List<String> entries = new ArrayList<>();
    entries.add("{\"type\":\"directory\",\"oid\":\"" + COMMIT + "\",\"size\":0,\"path\":\"sub\"}");
    for (String path : paths.subList(from, to)) {
      entries.add(entry(path));
    }
    json(exchange, "[" + String.join(",", entries) + "]");
  }

  private String entry(String path) {
    int size = content(path).length;
    if (size < largeBytes) {
      return "{\"type\":\"file\",\"oid\":\"%s\",\"size\":%d,\"path\":\"%s\"}"
          .formatted(hash(path), size, path);
    }
    return ("{\"type\":\"file\",\"oid\":\"%s\",\"size\":%d,\"lfs\":{\"oid\":\"%s\",\"size\":%d,"
            + "\"pointerSize\":135},\"path\":\"%s\"}")
        .formatted(COMMIT, 135, hash(path), size, path);
  }

  private void content(HttpExchange exchange, String path) throws IOException {
    Integer status = contentStatuses.poll();
    if (status != null && status != 0) {
      fail(exchange, status);
      return;
    }
    String file = path.substring(("/owner/repo/resolve/" + COMMIT + "/").length());
    byte[] content = files.get(file);
    if (content == null) {
      exchange.getResponseHeaders().set("X-Error-Code", "EntryNotFound");
      exchange.sendResponseHeaders(404, -1);
      return;
    }
    String etag = linkedEtagOverride == null ? hash(file) : linkedEtagOverride;
    if (content.length >= largeBytes && redirectLarge) {
      exchange.getResponseHeaders().set("X-Linked-Etag", "\"" + etag + "\"");
      exchange.getResponseHeaders().set("X-Linked-Size", Integer.toString(content.length));
      String location = locationOverride;
      exchange
          .getResponseHeaders()
          .set(
              "Location",
              location == null
                  ? "http://localhost:" + cdn.getAddress().getPort() + "/cdn/" + file + "?sig=a|b"
                  : location);
      exchange.sendResponseHeaders(302, -1);
      return;
    }
    exchange.getResponseHeaders().set("ETag", "\"" + etag + "\"");
    send(exchange, content);
  }

  private void onCdn(HttpExchange exchange) throws IOException {
    try (exchange) {
      note(true, exchange);
      exchange.getResponseHeaders().set("ETag", "\"unrelated\"");
      send(exchange, content(exchange.getRequestURI().getPath().substring("/cdn/".length())));
    }
  }

  private void send(HttpExchange exchange, byte[] content) throws IOException {
    mostConnections.accumulateAndGet(openConnections.incrementAndGet(), Math::max);
    try {
      int from = 0;
      int to = content.length;
      String range = exchange.getRequestHeaders().getFirst("Range");
      int status = 200;
      if (range != null && ranges) {
        String[] ends = range.substring("bytes=".length()).split("-", -1);
        from = Integer.parseInt(ends[0]);
        to = Integer.parseInt(ends[1]) + 1;
        status = 206;
        exchange
            .getResponseHeaders()
            .set("Content-Range", "bytes " + from + "-" + (to - 1) + "/" + content.length);
      }
      exchange.sendResponseHeaders(status, to == from ? -1 : to - from);
      int end = to;
      if (to - from > cutAfterBytes && cuts.getAndDecrement() > 0) {
        end = from + cutAfterBytes;
      }
      write(exchange.getResponseBody(), content, from, end);
      if (end < to && stallInsteadOfCut) {
        sleep(Duration.ofSeconds(20));
      }
    } finally {
      openConnections.decrementAndGet();
    }
  }

  private void write(OutputStream out, byte[] content, int from, int end) throws IOException {
    for (int at = from; at < end; at += 64 << 10) {
      int count = Math.min(64 << 10, end - at);
      out.write(content, at, count);
      out.flush();
      contentBytes.addAndGet(count);
      sleep(slowness);
    }
  }

  private static void sleep(Duration pause) {
    try {
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void fail(HttpExchange exchange, int status) throws IOException {
    errorHeaders.forEach(exchange.getResponseHeaders()::set);
    exchange.sendResponseHeaders(status, -1);
  }

  private static void json(HttpExchange exchange, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private void note(boolean fromCdn, HttpExchange exchange) {
    Headers headers = exchange.getRequestHeaders();
    seen.add(
        new Seen(
            fromCdn,
            exchange.getRequestURI().getPath(),
            headers.getFirst("Range"),
            headers.getFirst("Authorization")));
  }

  static String sha256(byte[] content) {
    return digest("SHA-256", new byte[0], content);
  }

  static String gitSha1(byte[] content) {
    byte[] head = ("blob " + content.length + "\0").getBytes(StandardCharsets.UTF_8);
    return digest("SHA-1", head, content);
  }

  private static String digest(String algorithm, byte[] head, byte[] content) {
    try {
      MessageDigest digest = MessageDigest.getInstance(algorithm);
      digest.update(head);
      return HexFormat.of().formatHex(digest.digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    hub.stop(0);
    cdn.stop(0);
    threads.shutdownNow();
  }
}
