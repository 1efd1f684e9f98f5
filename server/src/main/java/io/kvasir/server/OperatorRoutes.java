package io.kvasir.server;

import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.util.Set;

/// Keeps what concerns all tenants to the operator where there are several: resetting the cache and
/// looking into it. The operator's key is the one whose owner is called `admin`.
final class OperatorRoutes implements Filter {
  private static final String OPERATOR = "admin";
  private static final Set<String> PATHS =
      Set.of("/reset_prefix_cache", "/flush_cache", "/kv/audit", "/kv/state", "/kv/live");

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (PATHS.contains(request.path().path())
        && !OPERATOR.equals(request.context().get(Generation.TENANT, String.class).orElse(""))) {
      throw new ApiException(403, "this route is for the key whose owner is called admin");
    }
    chain.proceed();
  }
}
