package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;

/// Reads bodies up to a limit.
final class RequestBody {
  private RequestBody() {}

  /// The fields of a JSON body.
  ///
  /// @throws ApiException where the body is too large or no JSON object
  static Fields fields(ServerRequest request, ServerResponse response, int limit)
      throws IOException {
    long length = request.headers().contentLength().orElse(-1);
    if (length > limit) {
      throw tooLarge(response, limit);
    }
    if (!request.content().hasEntity()) {
      throw new ApiException(400, "the request has no body; send a JSON object");
    }
    try (InputStream in = request.content().inputStream()) {
      byte[] body = in.readNBytes(limit + 1);
      if (body.length > limit) {
        throw tooLarge(response, limit);
      }
      return new Fields(Wire.parse(body));
    }
  }

  /// What is left of the body is not worth reading, so the connection ends.
  private static ApiException tooLarge(ServerResponse response, int limit) {
    response.header(HeaderNames.CONNECTION, "close");
    return new ApiException(413, "the body is larger than the limit of %d bytes".formatted(limit));
  }
}
