package io.kvasir.server;

import io.helidon.http.HeaderValues;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;

/// Ends the connection behind an answer where the client asked for that with `Connection: close`;
/// such a client may wait for the end before it does anything else.
final class CloseAsAsked implements Filter {
  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (!request.headers().contains(HeaderValues.CONNECTION_CLOSE)) {
      chain.proceed();
      return;
    }
    try {
      chain.proceed();
    } catch (ApiException e) {
      Wire.send(response, e);
    }
    if (response.isSent()) {
      throw new CloseConnectionException("the client asked for it");
    }
  }
}
