package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// `/kv/state`, `/kv/live` and `/kv/audit`: the cache for people to look at.
final class InspectHandler implements AutoCloseable {
  private static final int MOST_WATCHERS = 16;
  private static final Duration WAIT = Duration.ofSeconds(1);
  private static final long HEARTBEAT_NANOS = 5_000_000_000L;

  private final ServedModel model;
  private final ClientWatch clients;
  private final Pace pace;
  private final CacheFeed feed;
  private final Semaphore room = new Semaphore(MOST_WATCHERS);

  InspectHandler(ServedModel model, ClientWatch clients, Pace pace) {
    this.model = model;
    this.clients = clients;
    this.pace = pace;
    this.feed = new CacheFeed(model.engine());
  }

  /// Everything at once.
  void state(ServerRequest request, ServerResponse response) {
    FrameForm form = new FrameForm(model, Generation.tenant(request));
    response.header(HeaderNames.CACHE_CONTROL, "no-store");
    Wire.send(response, form.event(feed.now(), pace));
  }

  /// Proves the cache's invariants.
  void audit(ServerRequest request, ServerResponse response) {
    long start = System.nanoTime();
    ObjectNode body = Wire.object();
    try {
      model.engine().verify();
      body.put("clean", true);
    } catch (IllegalStateException e) {
      body.put("clean", false).put("violation", String.valueOf(e.getMessage()));
    }
    Wire.send(response, body.put("micros", (System.nanoTime() - start) / 1_000));
  }

  /// Everything, and then what changes, as server-sent events until the client goes away.
  void live(ServerRequest request, ServerResponse response)
      throws IOException, InterruptedException {
    if (!room.tryAcquire()) {
      throw new ApiException(
          429, "%d watch the cache already; try again later".formatted(MOST_WATCHERS));
    }
    AtomicBoolean gone = new AtomicBoolean();
    feed.join();
    try (ClientWatch.Watch _ = clients.watch(request, () -> gone.set(true))) {
      stream(new FrameForm(model, Generation.tenant(request)), response, gone);
    } finally {
      feed.leave();
      room.release();
    }
  }

  private void stream(FrameForm form, ServerResponse response, AtomicBoolean gone)
      throws IOException, InterruptedException {
    response.header(HeaderNames.CONTENT_TYPE, "text/event-stream; charset=utf-8");
    response.header(HeaderNames.CACHE_CONTROL, "no-cache");
    response.header("X-Accel-Buffering", "no");
    JsonNode quiet = Wire.object();
    long sequence = 0;
    long written = 0;
    try (OutputStream out = response.outputStream()) {
      while (!gone.get() && !feed.isClosed()) {
        CacheFrame frame = feed.next(sequence, WAIT);
        if (frame == null) {
          continue;
        }
        sequence = frame.sequence();
        ObjectNode event = form.event(frame, pace);
        JsonNode rest = event.deepCopy().without("seq");
        if (!rest.equals(quiet) || frame.nanos() - written > HEARTBEAT_NANOS) {
          quiet = rest;
          written = frame.nanos();
          write(out, event);
        }
      }
    }
  }

  private static void write(OutputStream out, JsonNode event) throws IOException {
    byte[] body = Wire.bytes(event);
    byte[] start = "data: ".getBytes(StandardCharsets.US_ASCII);
    byte[] whole = new byte[start.length + body.length + 2];
    System.arraycopy(start, 0, whole, 0, start.length);
    System.arraycopy(body, 0, whole, start.length, body.length);
    whole[whole.length - 2] = '\n';
    whole[whole.length - 1] = '\n';
    out.write(whole);
    out.flush();
  }

  @Override
  public void close() {
    feed.close();
  }
}
