package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A thousand clients, half of which hang up: while they send, while they wait, while they read.
@Timeout(300)
final class AbortStormTest {
  private static final int REQUESTS = 1_000;
  private static final int AT_ONCE = 96;
  private static final long SEED = 11;

  private final AtomicInteger whole = new AtomicInteger();
  private final AtomicInteger aborted = new AtomicInteger();

  private static byte[] request(int index, boolean stream) {
    String body =
        """
        {"messages": [{"role": "user", "content": "Tell me of fox %d and of bear %d."}],
         "max_tokens": %d, "seed": %d, "n": %d, "stream": %b}\
        """
            .formatted(index % 7, index, 2 + index % 20, index, 1 + index % 2, stream);
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    String head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + "Connection: close\r\nContent-Length: %d\r\n\r\n".formatted(bytes.length);
    return (head + body).getBytes(StandardCharsets.UTF_8);
  }

  private void send(int port, byte[] request, int abortAfter) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      if (abortAfter < 0) {
        socket.getOutputStream().write(request);
        String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(answer).startsWith("HTTP/1.1 200").containsAnyOf("[DONE]", "\"usage\"");
        whole.incrementAndGet();
        return;
      }
      int sent = Math.min(request.length, abortAfter);
      socket.getOutputStream().write(request, 0, sent);
      InputStream in = socket.getInputStream();
      for (int i = request.length; i < abortAfter && in.read() >= 0; i++) {
        // Part of the answer.
      }
      aborted.incrementAndGet();
    } catch (IOException e) {
      throw new AssertionError("request that aborts after " + abortAfter, e);
    }
  }

  @Test
  void requests_halfAbortedAnywhere_leaveNothingBehind() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    try (Stories stories = Stories.start()) {
      Semaphore places = new Semaphore(AT_ONCE);
      List<Thread> clients = new ArrayList<>();
      List<Throwable> failures = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        byte[] request = request(i, random.nextInt(4) > 0);
        int abortAfter = random.nextBoolean() ? random.nextInt(request.length + 3_000) : -1;
        places.acquire();
        clients.add(
            Thread.startVirtualThread(() -> {
              try {
                send(stories.server.port(), request, abortAfter);
              } catch (AssertionError e) {
                synchronized (failures) {
                  failures.add(e);
                }
              } finally {
                places.release();
              }
            }));
      }
      for (Thread client : clients) {
        client.join();
      }
      assertThat(failures).isEmpty();
      assertThat(whole.get()).isBetween(400, 600);
      assertThat(whole.get() + aborted.get()).isEqualTo(REQUESTS);
      stories.awaitIdle();
      assertThat(stories.engine.stats().running() + stories.engine.stats().waiting()).isZero();
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
      assertThat(stories.engine.cacheStats().tables()).isZero();
      stories.engine.verify();
      assertThat(stories.get("/health").statusCode()).isEqualTo(200);
    }
  }
}
