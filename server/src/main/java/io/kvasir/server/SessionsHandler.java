package io.kvasir.server;

import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `/kv/sessions`: conversations whose cache the server keeps for a client.
final class SessionsHandler {
  private static final int BODY_BYTES = 4_096;

  private final HttpSessions sessions;

  SessionsHandler(HttpSessions sessions) {
    this.sessions = sessions;
  }

  void create(ServerRequest request, ServerResponse response) {
    response.status(201);
    Wire.send(response, describe(sessions.create(Generation.tenant(request)), 0));
  }

  void list(ServerRequest request, ServerResponse response) throws IOException {
    ObjectNode body = Wire.object().put("object", "list");
    ArrayNode data = body.putArray("data");
    for (HttpSessions.Listed listed : sessions.list(Generation.tenant(request))) {
      ObjectNode node = data.addObject().put("id", listed.id());
      if (listed.parent() != null) {
        node.put("parent", listed.parent());
      }
      node.put("live", listed.live()).put("saved", listed.saved());
      if (listed.live()) {
        node.put("age_seconds", TimeUnit.NANOSECONDS.toSeconds(listed.ageNanos()));
        node.put("idle_seconds", TimeUnit.NANOSECONDS.toSeconds(listed.idleNanos()));
      }
    }
    Wire.send(response, body);
  }

  void get(ServerRequest request, ServerResponse response) {
    HttpSessions.Held held = sessions.lookup(Generation.tenant(request), id(request));
    Wire.send(response, describe(held, sessions.tokens(held)));
  }

  void fork(ServerRequest request, ServerResponse response) {
    HttpSessions.Held fork = sessions.fork(Generation.tenant(request), id(request));
    response.status(201);
    Wire.send(response, describe(fork, sessions.tokens(fork)));
  }

  void rewind(ServerRequest request, ServerResponse response) throws IOException {
    Fields fields = RequestBody.fields(request, response, BODY_BYTES);
    int tokens = fields.integer("tokens", -1, 0, Integer.MAX_VALUE);
    if (tokens < 0) {
      throw ApiException.field("tokens", "'tokens' is missing: how many tokens are kept");
    }
    String id = id(request);
    int kept = sessions.rewind(Generation.tenant(request), id, tokens);
    Wire.send(response, Wire.object().put("id", id).put("tokens", kept));
  }

  void save(ServerRequest request, ServerResponse response) throws IOException {
    String id = id(request);
    long bytes = sessions.save(Generation.tenant(request), id);
    Wire.send(response, Wire.object().put("id", id).put("saved", true).put("bytes", bytes));
  }

  void resume(ServerRequest request, ServerResponse response) {
    HttpSessions.Held held = sessions.resume(Generation.tenant(request), id(request));
    Wire.send(response, describe(held, sessions.tokens(held)));
  }

  void delete(ServerRequest request, ServerResponse response) throws IOException {
    String id = id(request);
    boolean saved = request.query().first("saved").orElse("").equals("true");
    sessions.delete(Generation.tenant(request), id, saved);
    Wire.send(response, Wire.object().put("id", id).put("deleted", true));
  }

  private static String id(ServerRequest request) {
    return request.path().pathParameters().get("id");
  }

  private static ObjectNode describe(HttpSessions.Held held, int tokens) {
    ObjectNode node = Wire.object().put("id", held.id()).put("object", "session");
    if (held.parent() != null) {
      node.put("parent", held.parent());
    }
    return node.put("tokens", tokens);
  }
}
