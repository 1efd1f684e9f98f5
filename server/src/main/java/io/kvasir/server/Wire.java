package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// JSON as it goes over the wire.
final class Wire {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private Wire() {}

  static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  static byte[] bytes(JsonNode node) {
    return MAPPER.writeValueAsBytes(node);
  }

  /// Parses a body.
  ///
  /// @throws ApiException where it is no JSON object
  static ObjectNode parse(byte[] body) {
    JsonNode node;
    try {
      node = MAPPER.readTree(body);
    } catch (JacksonException e) {
      throw new ApiException(400, "the body is not valid JSON: " + e.getOriginalMessage());
    }
    if (node instanceof ObjectNode object) {
      return object;
    }
    throw new ApiException(400, "the body must be a JSON object");
  }

  /// Parses JSON.
  ///
  /// @throws JacksonException where it is none
  static JsonNode read(String text) {
    return MAPPER.readTree(text);
  }

  static void send(ServerResponse response, JsonNode node) {
    response.header(HeaderNames.CONTENT_TYPE, "application/json").send(bytes(node));
  }

  /// Sends an error in the form of the request's route.
  static void send(ServerRequest request, ServerResponse response, ApiException error) {
    prepare(response, error);
    boolean anthropic = request.path().path().startsWith("/v1/messages");
    send(response, anthropic ? AnthropicForm.error(error) : error(error));
  }

  static void send(ServerResponse response, ApiException error) {
    prepare(response, error);
    send(response, error(error));
  }

  private static void prepare(ServerResponse response, ApiException error) {
    response.status(error.status());
    if (error.retryAfterSeconds() > 0) {
      response.header(HeaderNames.RETRY_AFTER, Integer.toString(error.retryAfterSeconds()));
    }
    if (error.status() == 401) {
      response.header(HeaderNames.WWW_AUTHENTICATE, "Bearer");
    }
  }

  /// The body of an error.
  static ObjectNode error(ApiException error) {
    ObjectNode node = object();
    ObjectNode inner = node.putObject("error");
    inner.put("message", error.getMessage());
    inner.put("type", error.status() < 500 ? "invalid_request_error" : "server_error");
    putText(inner, "param", error.param());
    if (error.code() == null) {
      inner.put("code", error.status());
    } else {
      inner.put("code", error.code());
    }
    return node;
  }

  private static void putText(ObjectNode node, String name, @Nullable String value) {
    if (value == null) {
      node.putNull(name);
    } else {
      node.put(name, value);
    }
  }
}
