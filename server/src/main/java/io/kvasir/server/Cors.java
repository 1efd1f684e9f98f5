package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.http.Method;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.util.Set;

/// Tells browsers which pages of other servers may use this one (the Fetch standard's CORS
/// protocol).
final class Cors implements Filter {
  private static final String ALL = "*";
  private static final String EXPOSED =
      "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
          + "x-ratelimit-reset-requests";

  private final Set<String> origins;

  /// @param origins those pages' servers; `*` for all
  Cors(Set<String> origins) {
    this.origins = origins;
  }

  static boolean isAllowed(Set<String> origins, String origin) {
    return origins.contains(ALL) || origins.contains(origin);
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    String origin = request.headers().first(HeaderNames.ORIGIN).orElse("");
    response.header(HeaderNames.VARY, "Origin");
    if (origin.isEmpty() || !isAllowed(origins, origin)) {
      chain.proceed();
      return;
    }
    response.header(HeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, origins.contains(ALL) ? ALL : origin);
    response.header(HeaderNames.ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    boolean asks = request.headers().contains(HeaderNames.ACCESS_CONTROL_REQUEST_METHOD);
    if (!request.prologue().method().equals(Method.OPTIONS) || !asks) {
      chain.proceed();
      return;
    }
    String wanted =
        request.headers().first(HeaderNames.ACCESS_CONTROL_REQUEST_HEADERS).orElse("").strip();
    response.header(HeaderNames.ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE");
    if (wanted.matches("[A-Za-z0-9, _-]{1,1000}")) {
      response.header(HeaderNames.ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    response.header(HeaderNames.ACCESS_CONTROL_MAX_AGE, "600");
    response.status(204).send();
  }
}
