package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.http.RequestException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/// Reads bodies up to a limit.
final class RequestBody {
  private static final int PIECE = 16 << 10;

  private RequestBody() {}

  /// The fields of a JSON body.
  ///
  /// @throws ApiException where the body is too large, comes too slowly or is no JSON object
  static Fields fields(ServerRequest request, ServerResponse response, int limit)
      throws IOException {
    long length = request.headers().contentLength().orElse(-1);
    if (length > limit) {
      throw tooLarge(response, limit);
    }
    if (!request.content().hasEntity()) {
      throw new ApiException(400, "the request has no body; send a JSON object");
    }
    BodyBudget budget = request.context().get(BodyBudget.class).orElseThrow();
    try (BodyBudget.Share share = budget.open()) {
      // Not closed: that would read what is left of the body, however much that is.
      InputStream in = request.content().inputStream();
      ByteArrayOutputStream body = new ByteArrayOutputStream(PIECE);
      byte[] piece = new byte[PIECE];
      for (int count = read(in, piece); count >= 0; count = read(in, piece)) {
        take(share, count, response);
        if (share.taken() > limit) {
          throw tooLarge(response, limit);
        }
        body.write(piece, 0, count);
      }
      return new Fields(Wire.parse(body.toByteArray()));
    } catch (Unreadable e) {
      response.header(HeaderNames.CONNECTION, "close");
      throw e.answer;
    }
  }

  /// A body that is refused is not read on, so the connection ends.
  private static void take(BodyBudget.Share share, int count, ServerResponse response) {
    try {
      share.take(count);
    } catch (ApiException e) {
      response.header(HeaderNames.CONNECTION, "close");
      throw e;
    }
  }

  /// Reads some bytes. What the web server throws where they are no body is told from everything
  /// else here, because it has no type of its own.
  private static int read(InputStream in, byte[] piece) throws IOException {
    try {
      return in.read(piece);
    } catch (UncheckedIOException e) {
      throw e;
    } catch (RequestException e) {
      throw new Unreadable(new ApiException(e.status().code(), String.valueOf(e.getMessage())));
    } catch (RuntimeException e) {
      throw new Unreadable(
          new ApiException(400, "the body ends early, or its chunks are malformed"));
    }
  }

  private static final class Unreadable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient ApiException answer;

    Unreadable(ApiException answer) {
      super(null, null, false, false);
      this.answer = answer;
    }
  }

  /// What is left of the body is not worth reading, so the connection ends.
  private static ApiException tooLarge(ServerResponse response, int limit) {
    response.header(HeaderNames.CONNECTION, "close");
    return new ApiException(413, "the body is larger than the limit of %d bytes".formatted(limit));
  }
}
