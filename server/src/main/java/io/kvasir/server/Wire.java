package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// JSON as it goes over the wire.
final class Wire {
  private static final int DEEPEST = 100;
  private static final int MOST_TOKENS = 1_000_000;
  private static final int LONGEST_NAME = 1_000;
  private static final int LONGEST_NUMBER = 100;

  /// What is deeper or longer than any honest body is refused while it is read.
  private static final JsonMapper MAPPER =
      new JsonMapper(
          JsonFactory.builder()
              .streamReadConstraints(
                  StreamReadConstraints.builder()
                      .maxNestingDepth(DEEPEST)
                      .maxTokenCount(MOST_TOKENS)
                      .maxNameLength(LONGEST_NAME)
                      .maxNumberLength(LONGEST_NUMBER)
                      .maxStringLength(Integer.MAX_VALUE)
                      .build())
              .build());

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
    checkUtf8(body);
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

  /// The parser lets some forms through that are no UTF-8, such as lone surrogates.
  private static void checkUtf8(byte[] body) {
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    ByteBuffer in = ByteBuffer.wrap(body);
    CharBuffer out = CharBuffer.allocate(1 << 12);
    CoderResult result;
    do {
      out.clear();
      result = decoder.decode(in, out, true);
    } while (result.isOverflow());
    if (result.isError()) {
      throw new ApiException(
          400, "the body is not valid UTF-8 at its byte %d".formatted(in.position()));
    }
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
    inner.put("type", type(error.status()));
    putText(inner, "param", error.param());
    if (error.code() == null) {
      inner.put("code", error.status());
    } else {
      inner.put("code", error.code());
    }
    return node;
  }

  private static String type(int status) {
    return switch (status) {
      case 401 -> "authentication_error";
      case 403 -> "permission_error";
      case 429 -> "rate_limit_error";
      default -> status < 500 ? "invalid_request_error" : "server_error";
    };
  }

  private static void putText(ObjectNode node, String name, @Nullable String value) {
    if (value == null) {
      node.putNull(name);
    } else {
      node.put(name, value);
    }
  }
}
