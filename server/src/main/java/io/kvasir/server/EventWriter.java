package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Server-sent events: `data: ` and one line of JSON each, after `event: ` and a name where they
/// have one, written and flushed at once. The headers leave with the first, so that earlier
/// failures keep their status. Several threads may write.
final class EventWriter {
  private static final byte[] EVENT = "event: ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] LINE = "\n".getBytes(StandardCharsets.US_ASCII);
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
  void write(List<Event> events) {
    if (events.isEmpty()) {
      return;
    }
    ByteArrayOutputStream all = new ByteArrayOutputStream(256 * events.size());
    for (Event event : events) {
      if (event.name() != null) {
        all.writeBytes(EVENT);
        all.writeBytes(event.name().getBytes(StandardCharsets.US_ASCII));
        all.writeBytes(LINE);
      }
      all.writeBytes(DATA);
      all.writeBytes(Wire.bytes(event.data()));
      all.writeBytes(END);
    }
    send(all.toByteArray());
  }

  /// Ends the stream.
  ///
  /// @param mark whether `[DONE]` goes before
  void end(boolean mark) {
    if (mark) {
      send(DONE);
    }
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
