package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.util.HashSet;
import java.util.Set;

/// Lets in only who has a key, apart from the routes that say whether the server lives, and notes
/// whose it is.
final class ApiKey implements Filter {
  private static final Set<String> OPEN = Set.of("/health", "/live", "/ready");

  private final Tenants tenants;
  private final Set<String> open;

  /// @param page where files are that everybody may read
  ApiKey(Tenants tenants, Set<String> page) {
    this.tenants = tenants;
    this.open = new HashSet<>(OPEN);
    open.addAll(page);
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (!open.contains(request.path().path())) {
      String tenant = tenants.owner(request);
      if (tenant == null) {
        // Its body is not worth reading.
        response.header(HeaderNames.CONNECTION, "close");
        throw new ApiException(401, "the API key is missing or wrong", null, "invalid_api_key");
      }
      request.context().register(Generation.TENANT, tenant);
      Visit.of(request).belongsTo(tenant);
    }
    chain.proceed();
  }
}
