package io.kvasir.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.util.Set;

/// Keeps other sites' pages from the `/kv` routes. A browser sends them a request of any page that
/// its user happens to look at; the page could not read the answer, but a session would be made or
/// ended all the same. Browsers say where a request comes from, other clients say nothing.
final class ForeignPages implements Filter {
  private static final HeaderName SITE = HeaderNames.create("Sec-Fetch-Site");
  private static final Set<String> FOREIGN = Set.of("cross-site", "same-site");

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (request.path().path().startsWith("/kv/")
        && FOREIGN.contains(request.headers().first(SITE).orElse(""))) {
      response.header(HeaderNames.CONNECTION, "close");
      Wire.send(response, new ApiException(403, "this route is not for pages of other sites"));
      return;
    }
    chain.proceed();
  }
}
