package io.kvasir.server;

import io.helidon.webserver.http.ServerRequest;
import java.time.Instant;

/// What is known of a request while it is answered: whose it is and what it used. Travels with the
/// request. Written by the request's thread.
final class Visit {
  private final Instant time = Instant.now();
  private final long startNanos = System.nanoTime();
  private String tenant = "";
  private String id = "";
  private int promptTokens;
  private int cachedTokens;
  private int completionTokens;
  private long firstTokenNanos = -1;
  private boolean last;

  /// The request's own; an empty one for a request that came another way than through the server.
  static Visit of(ServerRequest request) {
    return request.context().get(Visit.class).orElseGet(Visit::new);
  }

  /// Whose key the request has; empty for nobody in particular.
  String tenant() {
    return tenant;
  }

  void belongsTo(String owner) {
    tenant = owner;
  }

  /// The connection ends with this request.
  void endConnection() {
    last = true;
  }

  boolean endsConnection() {
    return last;
  }

  /// What the client calls the request.
  void called(String name) {
    id = name;
  }

  /// @param firstToken nanoseconds until the first token came; -1 where none did
  void used(int prompt, int cached, int completion, long firstToken) {
    promptTokens = prompt;
    cachedTokens = cached;
    completionTokens = completion;
    firstTokenNanos = firstToken;
  }

  ServerWatch.Requested ended(String method, String route, int status) {
    return new ServerWatch.Requested(
        time,
        id,
        tenant,
        method,
        route,
        status,
        promptTokens,
        cachedTokens,
        completionTokens,
        firstTokenNanos,
        System.nanoTime() - startNanos);
  }
}
