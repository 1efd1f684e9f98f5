package io.kvasir.server;

import io.helidon.http.HeaderNames;
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

  static void send(ServerResponse response, JsonNode node) {
    response.header(HeaderNames.CONTENT_TYPE, "application/json").send(bytes(node));
  }

  static void send(ServerResponse response, ApiException error) {
    response.status(error.status());
    if (error.status() == 503) {
      response.header(HeaderNames.RETRY_AFTER, "5");
    }
    if (error.status() == 401) {
      response.header(HeaderNames.WWW_AUTHENTICATE, "Bearer");
    }
    send(response, error(error));
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
