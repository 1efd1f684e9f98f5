package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// Refuses requests that a web page made a browser send, and requests whose body could end in two
/// places.
///
/// A page of another server can point its own name at 127.0.0.1 ("DNS rebinding") and then read
/// answers of a server there as if they were its own: its requests name its host, so a server on
/// loopback answers only to loopback's names. Without that trick a page can still send, though not
/// read: its requests have an `Origin`, so one of another host is refused unless it is allowed.
/// Other clients send no `Origin`.
final class HostCheck implements Filter {
  private final boolean onLoopback;
  private final Set<String> hosts = new HashSet<>();
  private final Set<String> origins;

  HostCheck(ServerConfig config) {
    this.origins = config.access().origins();
    this.onLoopback = isLoopback(config.host());
    hosts.add(config.host().toLowerCase(Locale.ROOT));
    hosts.add("localhost");
    config.access().hosts().forEach(host -> hosts.add(host.toLowerCase(Locale.ROOT)));
  }

  private static boolean isLoopback(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false; // Nobody can listen there either.
    }
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    try {
      checkFraming(request);
      checkHost(request);
    } catch (ApiException e) {
      response.header(HeaderNames.CONNECTION, "close");
      throw e;
    }
    chain.proceed();
  }

  /// One of two servers in a row may believe one header, the other the other (RFC 9112, 6.3).
  private static void checkFraming(RoutingRequest request) {
    List<String> lengths = request.headers().values(HeaderNames.CONTENT_LENGTH);
    List<String> encodings = request.headers().values(HeaderNames.TRANSFER_ENCODING);
    if (lengths.size() > 1 || !lengths.isEmpty() && !encodings.isEmpty()) {
      throw new ApiException(
          400, "the request says in two ways how long its body is; send one Content-Length");
    }
    if (!encodings.isEmpty()
        && (encodings.size() > 1 || !encodings.getFirst().strip().equalsIgnoreCase("chunked"))) {
      throw new ApiException(400, "the only Transfer-Encoding that is understood is chunked");
    }
    if (!lengths.isEmpty() && !lengths.getFirst().matches("\\d{1,18}")) {
      throw new ApiException(400, "the Content-Length is not a whole number");
    }
  }

  private void checkHost(RoutingRequest request) {
    String host = request.headers().first(HeaderNames.HOST).orElse("");
    if (onLoopback && !host.isEmpty() && !isOwn(name(host))) {
      throw new ApiException(
          403,
          "this server answers to localhost only; start it with --allowed-host for other names");
    }
    String origin = request.headers().first(HeaderNames.ORIGIN).orElse("");
    if (!origin.isEmpty() && !Cors.isAllowed(origins, origin) && !isSame(origin, host)) {
      throw new ApiException(
          403, "web pages of other servers may not use this one; start it with --cors-origin");
    }
  }

  private boolean isOwn(String name) {
    return hosts.contains(name)
        || name.endsWith(".localhost")
        || name.matches("127\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}|\\[::1]|::1");
  }

  /// The host without its port.
  private static String name(String host) {
    return host.strip().toLowerCase(Locale.ROOT).replaceFirst(":\\d{1,5}$", "");
  }

  private static boolean isSame(String origin, String host) {
    return origin.equalsIgnoreCase("http://" + host) || origin.equalsIgnoreCase("https://" + host);
  }
}
