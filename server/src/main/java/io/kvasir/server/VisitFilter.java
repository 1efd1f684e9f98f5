package io.kvasir.server;

import io.helidon.http.HeaderValues;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;

/// Gives every request its [Visit] and tells those who watch how it ended.
final class VisitFilter implements Filter {
  private static final int CLIENT_GONE = 499;
  private static final int SERVER_FAILED = 500;

  private final ServerWatch watch;
  private final ClientWatch clients;
  private final BodyBudget bodies;

  VisitFilter(ServerWatch watch, ClientWatch clients, BodyBudget bodies) {
    this.watch = watch;
    this.clients = clients;
    this.bodies = bodies;
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    Visit visit = new Visit();
    request.context().register(visit);
    request.context().register(bodies);
    clients.bodyBegins(request);
    RequestEvent event = new RequestEvent();
    event.begin();
    int status = SERVER_FAILED;
    try {
      chain.proceed();
      status = response.status().code();
    } catch (ApiException e) {
      status = e.status();
      KvasirServer.refuse(request, response, e);
    } catch (CloseConnectionException e) {
      status = CLIENT_GONE;
      visit.endConnection();
      throw e;
    } finally {
      clients.requestEnded(request, !visit.endsConnection(), isLast(request));
      tell(visit.ended(request.prologue().method().text(), route(request), status), event);
    }
    if (visit.endsConnection()) {
      throw new CloseConnectionException("what is left of the request is not wanted");
    }
  }

  /// Whether the client wants no more of the connection.
  private static boolean isLast(RoutingRequest request) {
    return request.headers().contains(HeaderValues.CONNECTION_CLOSE)
        || request.prologue().protocolVersion().equals("1.0");
  }

  /// The pattern and not the path, which may hold anything.
  private static String route(RoutingRequest request) {
    String pattern = request.matchingPattern().orElse("");
    return pattern.isEmpty() ? "-" : pattern;
  }

  private void tell(ServerWatch.Requested request, RequestEvent event) {
    watch.requested(request);
    if (event.shouldCommit()) {
      event.fill(request);
      event.commit();
    }
  }
}
