package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import tools.jackson.databind.node.ObjectNode;

/// What the server is and how it does: health, models, version, metrics, and the cache's reset.
final class StatusHandler {
  private final ServedModel model;
  private final Metrics metrics;
  private final Gate gate;
  private final String version;
  private final long created = System.currentTimeMillis() / 1000;

  StatusHandler(ServedModel model, Metrics metrics, Gate gate, String version) {
    this.model = model;
    this.metrics = metrics;
    this.gate = gate;
    this.version = version;
  }

  /// Whether the process answers.
  void live(ServerRequest request, ServerResponse response) {
    response.send();
  }

  /// Whether the model works.
  void health(ServerRequest request, ServerResponse response) {
    response.status(model.engine().isRunning() ? 200 : 503).send();
  }

  void ready(ServerRequest request, ServerResponse response) {
    response.status(gate.isShut() || !model.engine().isRunning() ? 503 : 200).send();
  }

  void version(ServerRequest request, ServerResponse response) {
    Wire.send(response, Wire.object().put("version", version));
  }

  void models(ServerRequest request, ServerResponse response) {
    ObjectNode body = Wire.object();
    body.put("object", "list");
    body.putArray("data").add(describe());
    Wire.send(response, body);
  }

  void model(ServerRequest request, ServerResponse response) {
    Generation.checkModel(model, request.path().pathParameters().get("id"));
    Wire.send(response, describe());
  }

  private ObjectNode describe() {
    ObjectNode node = Wire.object();
    node.put("id", model.name());
    node.put("object", "model");
    node.put("created", created);
    node.put("owned_by", "kvasir");
    node.put("root", model.name());
    node.put("max_model_len", model.engine().contextTokens());
    return node;
  }

  void metrics(ServerRequest request, ServerResponse response) {
    response.header(HeaderNames.CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    response.send(metrics.render());
  }

  void resetPrefixCache(ServerRequest request, ServerResponse response) {
    int freed = model.engine().resetPrefixCache();
    if (freed < 0) {
      throw new ApiException(409, "requests are running; reset the cache when none do");
    }
    Wire.send(response, Wire.object().put("success", true).put("blocks_freed", freed));
  }

  /// There is no such cache; benchmarks reset it all the same.
  void resetNothing(ServerRequest request, ServerResponse response) {
    Wire.send(response, Wire.object().put("success", true));
  }

  /// As [#resetPrefixCache], in SGLang's form.
  void flushCache(ServerRequest request, ServerResponse response) {
    int freed = model.engine().resetPrefixCache();
    response.status(freed < 0 ? 400 : 200);
    response.header(HeaderNames.CONTENT_TYPE, "text/plain; charset=utf-8");
    response.send(
        freed < 0 ? "Requests are running; the cache is kept.\n" : "The cache is empty.\n");
  }
}
