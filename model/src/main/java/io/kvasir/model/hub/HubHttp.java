package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// GET requests to a hub: redirects followed by hand so that the token stays with the hub's own
/// host, a limit on the time to the headers, pauses between tries. Thread-safe.
///
/// HTTP/1.1 on purpose: over HTTP/2 the parts of one file would share one TCP connection and gain
/// nothing.
final class HubHttp implements AutoCloseable {
  private static final int MAX_REDIRECTS = 10;

  private final HubConfig config;
  private final HttpClient client;

  HubHttp(HubConfig config) {
    this.config = config;
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(config.transfer().connectTimeout());
    HubProxy proxy = config.proxy();
    client = (proxy == null ? builder : builder.proxy(proxy.selector())).build();
  }

  /// An answer whose body has not been read.
  ///
  /// @param uri where it came from after redirects
  /// @param headers those of the last answer
  /// @param etag the content's identity as the hub states it (`X-Linked-Etag`, else `ETag` of the
  ///   hub's own answer), without quotes; null where none was given
  /// @param fromHub true where the answer came from the endpoint's own host
  record Answer(
      int status,
      URI uri,
      HttpHeaders headers,
      @Nullable String etag,
      boolean fromHub,
      InputStream body)
      implements Closeable {

    /// A header of the last answer, or the empty string.
    String header(String name) {
      return headers.firstValue(name).orElse("");
    }

    boolean isSuccess() {
      return status >= 200 && status < 300;
    }

    @Override
    public void close() throws IOException {
      body.close();
    }
  }

  /// One request; any status that is no redirect is an answer.
  ///
  /// @param range value of the `Range` header, or null for the whole
  Answer get(URI start, @Nullable String range) throws IOException, InterruptedException {
    URI at = start;
    String linkedEtag = null;
    String hubEtag = null;
    for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
      boolean fromHub = sameOrigin(at, config.endpoint());
      HttpResponse<InputStream> response = send(request(at, range, fromHub));
      HttpHeaders headers = response.headers();
      linkedEtag = linkedEtag == null ? etag(headers, "X-Linked-Etag") : linkedEtag;
      hubEtag = fromHub && hubEtag == null ? etag(headers, "ETag") : hubEtag;
      Optional<String> location = headers.firstValue("Location");
      if (!isRedirect(response.statusCode()) || location.isEmpty()) {
        String etag = linkedEtag == null ? hubEtag : linkedEtag;
        return new Answer(response.statusCode(), at, headers, etag, fromHub, response.body());
      }
      response.body().close();
      at = redirected(at, location.get());
    }
    throw new HubException(
        Kind.SERVER, start.getHost() + " redirects more than " + MAX_REDIRECTS + " times");
  }

  private HttpRequest request(URI uri, @Nullable String range, boolean fromHub) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri).GET().header("User-Agent", config.userAgent());
    if (range != null) {
      request.header("Range", range);
    }
    if (fromHub && config.token() != null) {
      request.header("Authorization", "Bearer " + config.token());
    }
    return request.build();
  }

  /// The request's own timeout is not used: from JDK 26 on it also covers the body, and a large
  /// file takes long.
  private HttpResponse<InputStream> send(HttpRequest request)
      throws IOException, InterruptedException {
    Duration limit = config.transfer().connectTimeout().multipliedBy(2);
    CompletableFuture<HttpResponse<InputStream>> pending =
        client.sendAsync(request, BodyHandlers.ofInputStream());
    boolean answered = false;
    try {
      HttpResponse<InputStream> response = pending.get(limit.toMillis(), TimeUnit.MILLISECONDS);
      answered = true;
      return response;
    } catch (TimeoutException e) {
      HttpTimeoutException late = new HttpTimeoutException("no answer in " + limit);
      late.initCause(e);
      throw late;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      throw new IOException(e.getCause());
    } finally {
      if (!answered) {
        pending.cancel(true);
      }
    }
  }

  /// Reads at most `limit` bytes of a short body; a server that stops in the middle is cut off.
  byte[] readBody(Answer answer, int limit) throws IOException {
    Duration patience = config.transfer().stallTimeout().multipliedBy(2);
    Thread guard =
        Thread.ofVirtual()
            .start(() -> {
              try {
                Thread.sleep(patience);
                answer.close();
              } catch (InterruptedException | IOException e) {
                // The body was read in time, or is gone already.
              }
            });
    try {
      return answer.body().readNBytes(limit);
    } finally {
      guard.interrupt();
    }
  }

  private static boolean isRedirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  private static URI redirected(URI from, String location) throws HubException {
    URI target;
    try {
      target = from.resolve(new URI(encodeIllegal(location)));
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw new HubException(
          Kind.SERVER,
          from.getHost() + " redirects to what is no address: " + FileNames.shown(location),
          e);
    }
    String scheme = target.getScheme() == null ? "" : target.getScheme().toLowerCase(Locale.ROOT);
    boolean secure = "https".equalsIgnoreCase(from.getScheme());
    if (target.getHost() == null || !(scheme.equals("https") || scheme.equals("http") && !secure)) {
      throw new HubException(
          Kind.UNSAFE,
          from.getHost()
              + " redirects to an address that is refused: "
              + FileNames.shown(location));
    }
    return target;
  }

  /// Percent-encodes the characters that servers leave in `Location` although no URI has them.
  private static String encodeIllegal(String location) {
    StringBuilder out = new StringBuilder(location.length());
    for (byte b : location.getBytes(StandardCharsets.UTF_8)) {
      if (b <= 0x20 || b == 0x7f || "\"<>\\^`{|}".indexOf(b) >= 0) {
        out.append(String.format("%%%02X", b & 0xff));
      } else {
        out.append((char) b);
      }
    }
    return out.toString();
  }

  static boolean sameOrigin(URI one, URI other) {
    return one.getHost().equalsIgnoreCase(other.getHost())
        && one.getScheme().equalsIgnoreCase(other.getScheme())
        && port(one) == port(other);
  }

  private static int port(URI uri) {
    if (uri.getPort() >= 0) {
      return uri.getPort();
    }
    return "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
  }

  private static @Nullable String etag(HttpHeaders headers, String name) {
    return headers
        .firstValue(name)
        .map(value -> value.strip().replaceFirst("^W/", "").replace("\"", ""))
        .filter(value -> !value.isEmpty())
        .orElse(null);
  }

  /// Sleeps before try `failures + 1`: twice as long after each failure, spread by a quarter, at
  /// least as long as the server asked for.
  ///
  /// @return false, at once, where the server asks for more than the longest wait
  boolean pause(int failures, Optional<Duration> wanted) throws InterruptedException {
    TransferConfig transfer = config.transfer();
    if (wanted.isPresent() && wanted.get().compareTo(transfer.longestWait()) > 0) {
      return false;
    }
    long doubled = transfer.firstBackoff().toMillis() << Math.min(failures - 1, 20);
    long own = Math.min(doubled, transfer.longestWait().toMillis());
    long spread = own < 4 ? 0 : ThreadLocalRandom.current().nextLong(own / 4);
    Thread.sleep(Math.max(own + spread, wanted.orElse(Duration.ZERO).toMillis()));
    return true;
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
