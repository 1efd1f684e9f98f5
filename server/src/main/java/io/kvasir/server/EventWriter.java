package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Server-sent events: `data: ` and one line of JSON each, written and flushed at once. The headers
/// leave with the first, so that earlier failures keep their status. Several threads may write.
final class EventWriter {
  private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] END = "\n\n".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

  private final ServerResponse response;
  private final ReentrantLock lock = new ReentrantLock();
  private @Nullable OutputStream out;

  EventWriter(ServerResponse response) {
    this.response = response;
  }

  /// Whether headers have left.
  boolean started() {
    lock.lock();
    try {
      return out != null;
    } finally {
      lock.unlock();
    }
  }

  /// Writes events in one go.
  ///
  /// @throws UncheckedIOException where the client has gone
  void write(JsonNode... events) {
    int size = 0;
    byte[][] bodies = new byte[events.length][];
    for (int i = 0; i < events.length; i++) {
      bodies[i] = Wire.bytes(events[i]);
      size += DATA.length + bodies[i].length + END.length;
    }
    byte[] all = new byte[size];
    int at = 0;
    for (byte[] body : bodies) {
      for (byte[] part : new byte[][] {DATA, body, END}) {
        System.arraycopy(part, 0, all, at, part.length);
        at += part.length;
      }
    }
    send(all);
  }

  /// Ends the stream.
  void done() {
    send(DONE);
    lock.lock();
    try {
      opened().close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      lock.unlock();
    }
  }

  private void send(byte[] bytes) {
    lock.lock();
    try {
      OutputStream stream = opened();
      stream.write(bytes);
      stream.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      lock.unlock();
    }
  }

  private OutputStream opened() {
    OutputStream stream = out;
    if (stream == null) {
      response.header(HeaderNames.CONTENT_TYPE, "text/event-stream; charset=utf-8");
      response.header(HeaderNames.CACHE_CONTROL, "no-cache");
      response.header("X-Accel-Buffering", "no");
      stream = response.outputStream();
      out = stream;
    }
    return stream;
  }
}
