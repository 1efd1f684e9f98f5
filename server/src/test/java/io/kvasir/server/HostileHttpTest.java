package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Clients that mean harm, or that behave as if they did: each gets a clear status or a closed
/// connection, memory stays flat, and the next client is answered.
@Timeout(120)
final class HostileHttpTest {
  private static final String PLAIN = "/v1/completions";
  private static final String POST = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n";
  private static final long MOST_GROWTH = 24L << 20;

  private static Stories stories;
  private static long heapBefore;

  @BeforeAll
  static void start() throws Exception {
    ServerLimits limits =
        ServerLimits.DEFAULT.withTimes(
            Duration.ofMillis(600),
            Duration.ofMillis(800),
            Duration.ofMillis(1_500),
            Duration.ofMillis(700));
    stories = Stories.start(ServerConfig.local(0).withLimits(limits));
    stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":2}");
    heapBefore = usedHeap();
  }

  /// After every test in this class, with all that they sent.
  @AfterAll
  static void stop() throws Exception {
    stories.awaitIdle();
    for (int i = 0; i < 100 && stories.server.connections() > 2; i++) {
      Thread.sleep(50);
    }
    long grown = usedHeap() - heapBefore;
    stories.engine.verify();
    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    assertThat(stories.server.connections()).isLessThanOrEqualTo(2);
    stories.close();
    assertThat(grown).as("bytes of heap in use after garbage collection").isLessThan(MOST_GROWTH);
  }

  @AfterEach
  void nextClient_isAnswered() throws Exception {
    assertThat(stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":1}").statusCode())
        .isEqualTo(200);
  }

  @SuppressWarnings("ExplicitGC") // what is in use can only be told behind a collection
  private static long usedHeap() throws InterruptedException {
    Runtime runtime = Runtime.getRuntime();
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(50);
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }

  private static RawClient client() throws IOException {
    return new RawClient(stories.server.port());
  }

  private static void assertError(String answer, int status) {
    assertThat(answer).startsWith("HTTP/1.1 " + status + " ").contains("\r\n\r\n{\"error\":");
    JsonNode error = Stories.parse(answer.substring(answer.indexOf("\r\n\r\n") + 4)).get("error");
    assertThat(error.get("message").stringValue()).isNotBlank();
    assertThat(error.get("code").intValue()).isEqualTo(status);
  }

  // ---- Slow ------------------------------------------------------------------------------------

  @Test
  void slowloris_head_is408() throws Exception {
    try (RawClient client = client()) {
      client.send(POST + "X-Slow: ");
      int taken = client.drip('a', 200, 50);

      assertThat(taken).isLessThan(60);
      assertError(client.rest(), 408);
    }
  }

  @Test
  void slowloris_body_is408() throws Exception {
    try (RawClient client = client()) {
      client.send(POST + "Content-Length: 5000\r\n\r\n{\"prompt\":\"");
      int taken = client.drip('a', 200, 50);

      assertThat(taken).isLessThan(60);
      assertError(client.rest(), 408);
    }
  }

  @Test
  void slowloris_hundreds_leaveRoomForOthers() throws Exception {
    List<RawClient> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 300; i++) {
        slow.add(client().send(i % 2 == 0 ? "POST /v1/com" : POST + "Content-Length: 9\r\n\r\n{"));
      }
      long start = System.nanoTime();
      assertThat(stories.get("/health").statusCode()).isEqualTo(200);
      assertThat(stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":1}").statusCode())
          .isEqualTo(200);
      assertThat(System.nanoTime() - start).isLessThan(10_000_000_000L);
      assertError(slow.get(0).rest(), 408);
      assertError(slow.get(299).rest(), 408);
    } finally {
      for (RawClient client : slow) {
        client.close();
      }
    }
  }

  @Test
  void silentConnection_isClosed() throws Exception {
    try (RawClient client = client()) {
      assertThat(client.rest()).isEmpty();
    }
  }

  @Test
  void idleConnection_isClosedWithoutAWord() throws Exception {
    try (RawClient client = client()) {
      client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertThat(client.until("\r\n\r\n", 1)).startsWith("HTTP/1.1 200 ");
      assertThat(client.rest()).isEmpty();
    }
  }

  @Test
  void slowReader_isDropped() throws Exception {
    try (RawClient client = client()) {
      // Answers of many megabytes that nobody reads.
      byte[] asks =
          "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
              .repeat(100)
              .getBytes(StandardCharsets.US_ASCII);
      long start = System.nanoTime();
      client.flood(asks, 2_000);

      assertThat(System.nanoTime() - start).isLessThan(60_000_000_000L);
      for (int i = 0; i < 200 && stories.server.connections() > 2; i++) {
        Thread.sleep(20);
      }
      assertThat(stories.server.connections()).isLessThanOrEqualTo(2);
    }
  }

  // ---- Large -----------------------------------------------------------------------------------

  @Test
  void body_of100Megabytes_is413() throws Exception {
    try (RawClient client = client()) {
      client.send(POST + "Content-Length: 104857600\r\n\r\n");
      assertError(client.rest(), 413);
    }
  }

  @Test
  void body_of100MegabytesInChunks_is413() throws Exception {
    byte[] chunk = ("1000\r\n" + " ".repeat(4_096) + "\r\n").getBytes(StandardCharsets.US_ASCII);
    try (RawClient client = client()) {
      client.send(POST + "Transfer-Encoding: chunked\r\n\r\n");
      client.floodAside(chunk, 25_600);
      assertThat(client.until("\"error\"", 1)).startsWith("HTTP/1.1 413 ");
    }
  }

  @Test
  void largeBodies_together_are503() throws Exception {
    ServerLimits limits =
        ServerLimits.DEFAULT
            .withBodiesBytes(1 << 20)
            .withTimes(
                Duration.ofSeconds(3),
                Duration.ofSeconds(3),
                Duration.ofSeconds(3),
                Duration.ofSeconds(3));
    byte[] piece = new byte[700_000];
    Arrays.fill(piece, (byte) ' ');
    try (Stories small = Stories.start(ServerConfig.local(0).withLimits(limits));
        RawClient one = new RawClient(small.server.port());
        RawClient other = new RawClient(small.server.port())) {
      one.send(POST + "Content-Length: 2000000\r\n\r\n").flood(piece, 1);
      other.send(POST + "Content-Length: 2000000\r\n\r\n").flood(piece, 1);
      String first = one.rest();
      String second = other.rest();
      String refused = first.startsWith("HTTP/1.1 503 ") ? first : second;

      assertError(refused, 503);
      assertThat(refused.toLowerCase(Locale.ROOT)).contains("retry-after: 1");
      assertError(refused.equals(first) ? second : first, 408);
    }
  }

  @Test
  void header_flood_isRefused() throws Exception {
    try (RawClient client = client()) {
      byte[] header = ("X-Flood: " + "a".repeat(100) + "\r\n").getBytes(StandardCharsets.US_ASCII);
      client.send(POST);
      client.floodAside(header, 100_000);
      assertThat(client.until("\"error\"", 1)).startsWith("HTTP/1.1 431 ");
    }
  }

  @Test
  void header_ofAMegabyte_isRefused() throws Exception {
    try (RawClient client = client()) {
      client.send(POST + "X: ");
      byte[] piece = "a".repeat(1_000).getBytes(StandardCharsets.US_ASCII);
      client.floodAside(piece, 100_000);
      assertThat(client.until("\"error\"", 1)).startsWith("HTTP/1.1 431 ");
    }
  }

  @Test
  void path_ofAMegabyte_isRefused() throws Exception {
    try (RawClient client = client()) {
      client.send("GET /");
      byte[] piece = "a".repeat(1_000).getBytes(StandardCharsets.US_ASCII);
      client.floodAside(piece, 100_000);
      assertThat(client.until("\"error\"", 1)).containsPattern("^HTTP/1.1 4(00|14) ");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "{\"a\":"})
  void json_deep_is400(String open) throws Exception {
    HttpResponse<String> answer = stories.post(PLAIN, "{\"prompt\":" + open.repeat(500_000));

    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("depth");
  }

  @Test
  void json_ofMillionsOfValues_is400() throws Exception {
    String ids = "7,".repeat(1_500_000) + "7";
    HttpResponse<String> answer = stories.post(PLAIN, "{\"prompt\":[" + ids + "]}");

    assertThat(answer.statusCode()).isEqualTo(400);
  }

  @Test
  void json_longNumber_is400() throws Exception {
    String body = "{\"prompt\":\"a\",\"seed\":" + "9".repeat(1_000_000) + "}";

    assertThat(stories.post(PLAIN, body).statusCode()).isEqualTo(400);
  }

  @ParameterizedTest
  @ValueSource(strings = {"1000000000", "2147483647", "9223372036854775807", "1e300", "-1"})
  void maxTokens_huge_is400(String value) throws Exception {
    HttpResponse<String> answer =
        stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":" + value + "}");

    assertThat(answer.statusCode()).isEqualTo(400);
  }

  @Test
  void stops_tenThousand_are400() throws Exception {
    String stops = "\"a\",".repeat(9_999) + "\"a\"";
    HttpResponse<String> answer =
        stories.post(PLAIN, "{\"prompt\":\"a\",\"stop\":[" + stops + "]}");

    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("'stop' has 10000 entries");
  }

  // ---- Malformed -------------------------------------------------------------------------------

  @Test
  void utf8_invalid_is400() throws Exception {
    for (byte[] bad :
        new byte[][] {
          {(byte) 0xff}, {(byte) 0xc0, (byte) 0x80}, {(byte) 0xed, (byte) 0xa0, (byte) 0x80}
        }) {
      String head = "{\"prompt\":\"a";
      try (RawClient client = client()) {
        client.send(
            POST + "Connection: close\r\nContent-Length: " + (head.length() + bad.length + 2));
        client.send("\r\n\r\n" + head).send(bad).send("\"}");
        assertError(client.rest(), 400);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Bad\u0000Name: 5\r\n",
        "X: a\rb\r\n",
        "No colon at all\r\n"
      })
  void framing_ambiguous_isRefusedAndTheConnectionEnds(String headers) throws Exception {
    try (RawClient client = client()) {
      // A second request hides in what may or may not be the first one's body.
      client.send(POST + headers + "\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: localhost\r\n\r\n");
      String answer = client.rest();

      assertThat(answer).containsPattern("^HTTP/1.1 (400|501) ");
      assertThat(answer.split("HTTP/1.1 \\d", -1)).as("one answer only: " + answer).hasSize(2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"xyz\r\n", "-5\r\n", "ffffffffffffffff\r\n", "5\r\nab"})
  void chunk_malformed_isRefused(String chunk) throws Exception {
    try (RawClient client = client()) {
      client.send(POST + "Transfer-Encoding: chunked\r\n\r\n" + chunk);
      String answer = client.rest();

      assertThat(answer).containsPattern("^HTTP/1.1 4\\d\\d ");
      assertThat(answer.split("HTTP/1.1 \\d", -1)).hasSize(2);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET /\u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"
      })
  void otherProtocols_areRefusedOrClosed(String bytes) throws Exception {
    try (RawClient client = client()) {
      client.send(bytes);
      assertThat(client.rest()).containsPattern("^(HTTP/1.1 (4|5)\\d\\d |$)");
    }
  }

  @Test
  void halfARequest_thenGone_leavesNothing() throws Exception {
    for (int i = 0; i < 50; i++) {
      try (RawClient client = client()) {
        client.send(POST + "Content-Length: 100\r\n\r\n{\"prompt\":");
      }
    }
    for (int i = 0; i < 200 && stories.server.connections() > 2; i++) {
      Thread.sleep(20);
    }
    assertThat(stories.server.connections()).isLessThanOrEqualTo(2);
  }

  @Test
  void pipelinedRequests_areAnsweredInOrder() throws Exception {
    String body = "{\"prompt\":\"a\",\"max_tokens\":1}";
    String post = POST + "Content-Length: " + body.length() + "\r\n\r\n" + body;
    String last = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    try (RawClient client = client()) {
      client.send(post + post + last);
      String[] answers = client.rest().split("(?=HTTP/1\\.1 )", -1);

      assertThat(answers).hasSize(3).allMatch(answer -> answer.startsWith("HTTP/1.1 200 "));
      assertThat(answers[0]).contains("\"text_completion\"");
      assertThat(answers[1]).contains("\"text_completion\"");
      assertThat(answers[2]).contains("\"version\"");
    }
  }
}
