package io.kvasir.cli.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What the load generator reads from servers that answer well, badly, late or not at all.
@Timeout(60)
class CompletionCallTest {
  private static final String OK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

  private static CompletionCall call(LinkPool links, long timeoutMillis) {
    return new CompletionCall(
        links, new CompletionCall.Form("m", false, true, 0, timeoutMillis * 1_000_000));
  }

  private static Exchange exchange(CompletionCall call) {
    Exchange exchange = new Exchange(System.nanoTime());
    call.run(exchange, new int[] {5, 6}, 3);
    return exchange;
  }

  private static Exchange answered(ScriptedServer.Script script) throws IOException {
    try (ScriptedServer server = new ScriptedServer(script);
        LinkPool links = server.links()) {
      return exchange(call(links, 2_000));
    }
  }

  private static Exchange said(String answer) throws IOException {
    return answered((body, out) -> {
      ScriptedServer.write(out, answer);
      return false;
    });
  }

  @Test
  void request_body_holdsWhatIsAskedFor() throws IOException {
    List<String> bodies = new ArrayList<>();
    answered((body, out) -> {
      bodies.add(body);
      ScriptedServer.write(out, ScriptedServer.stream(3));
      return false;
    });

    assertThat(bodies)
        .containsExactly(
            "{\"model\":\"m\",\"prompt\":[5,6],\"max_tokens\":3,\"temperature\":0.0,\"ignore_eos\":true,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
  }

  @Test
  void stream_cutAtAnyByte_isReadTheSame() throws IOException {
    String answer = ScriptedServer.stream(3);
    byte[] bytes = answer.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    AtomicInteger cut = new AtomicInteger();
    try (ScriptedServer server =
            new ScriptedServer((body, out) -> {
              int at = cut.getAndAdd(7) % bytes.length;
              out.write(bytes, 0, at);
              out.flush();
              Thread.sleep(1);
              out.write(bytes, at, bytes.length - at);
              out.flush();
              return true;
            });
        LinkPool links = server.links()) {
      CompletionCall call = call(links, 5_000);
      for (int i = 0; i < bytes.length; i++) {
        Exchange exchange = exchange(call);
        assertThat(exchange.failure()).as("cut at " + 7 * i % bytes.length).isNull();
        assertThat(exchange.events()).isEqualTo(3);
        assertThat(exchange.promptTokens()).isEqualTo(9);
        assertThat(exchange.cachedTokens()).isEqualTo(4);
        assertThat(exchange.completionTokens()).isEqualTo(3);
      }
    }
  }

  @Test
  void firstToken_time_isThatOfTheServersWrite() throws IOException {
    List<Long> written = new ArrayList<>();
    Samples late = new Samples();
    for (int i = 0; i < 20; i++) {
      Exchange exchange =
          answered((body, out) -> {
            Thread.sleep(20);
            ScriptedServer.write(out, OK);
            Thread.sleep(20);
            written.add(System.nanoTime());
            ScriptedServer.write(out, ScriptedServer.chunk(ScriptedServer.token("a")));
            Thread.sleep(20);
            ScriptedServer.write(out, ScriptedServer.tail(1));
            return false;
          });
      late.add(exchange.scheduledNanos() + exchange.ttftNanos() - written.getLast());
      assertThat(exchange.e2eNanos() - exchange.ttftNanos()).isGreaterThan(15_000_000);
    }

    // Typically 0.1 ms; a busy machine adds some.
    assertThat(late.percentile(50)).isBetween(0L, 10_000_000L);
  }

  @Test
  void chatStream_roleChunk_isNoToken() throws IOException {
    String role =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    String token =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    Exchange exchange =
        said(
            OK
                + ScriptedServer.chunk(role + token)
                + ScriptedServer.chunk(token)
                + ScriptedServer.tail(2));

    assertThat(exchange.isOk()).isTrue();
    assertThat(exchange.events()).isEqualTo(2);
  }

  @Test
  void failures_ofEveryKind_areNamed() throws IOException {
    String json = "{\"error\":{\"message\":\"the queue is full\"}}";
    String busy =
        "HTTP/1.1 429 Too Many\r\nContent-Length: %d\r\n\r\n%s".formatted(json.length(), json);

    assertThat(said(busy).failure()).isEqualTo("status 429: the queue is full");
    assertThat(said("HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno").failure())
        .isEqualTo("status 500");
    assertThat(said("").failure()).isEqualTo("connection closed early");
    assertThat(said(OK + ScriptedServer.chunk(ScriptedServer.token("a"))).failure())
        .isEqualTo("connection closed early");
    assertThat(said(OK + ScriptedServer.chunk(ScriptedServer.token("a")) + "0\r\n\r\n").failure())
        .isEqualTo("stream without [DONE]");
    assertThat(said(OK + ScriptedServer.tail(0)).failure())
        .as("an answer whose first token ends it")
        .isNull();
    String untold = ScriptedServer.chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    assertThat(said(OK + untold).failure()).isEqualTo("answer without a token");
    assertThat(said(OK + ScriptedServer.chunk("data: {\n\n")).failure())
        .isEqualTo("answer is not JSON");
    assertThat(said("SSH-2.0-x\r\n").failure()).contains("does not speak HTTP/1.1");
    String error = ScriptedServer.chunk("data: {\"error\":{\"message\":\"broke\"}}\n\n");
    assertThat(said(OK + error + ScriptedServer.chunk("data: [DONE]\n\n") + "0\r\n\r\n").failure())
        .isEqualTo("error in the stream: broke");
  }

  @Test
  void silentServer_timesOut() throws IOException {
    try (ScriptedServer server =
            new ScriptedServer((body, out) -> {
              ScriptedServer.write(out, OK);
              Thread.sleep(30_000);
              return false;
            });
        LinkPool links = server.links()) {
      Exchange exchange = exchange(call(links, 100));

      assertThat(exchange.failure()).isEqualTo("timeout");
      assertThat(exchange.e2eNanos()).isBetween(90_000_000L, 5_000_000_000L);
    }
  }

  @Test
  void nobodyListens_isNamed() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    try (LinkPool links = new LinkPool(HttpTarget.of("127.0.0.1:" + port, null, null))) {
      assertThat(exchange(call(links, 1_000)).failure()).isEqualTo("connection refused");
    }
  }

  @Test
  void idleConnection_closedByTheServer_isReplaced() throws IOException, InterruptedException {
    try (ScriptedServer server =
            new ScriptedServer((body, out) -> {
              ScriptedServer.write(out, ScriptedServer.stream(1));
              return false;
            });
        LinkPool links = server.links()) {
      for (int i = 0; i < 5; i++) {
        assertThat(exchange(call(links, 2_000)).failure()).isNull();
        Thread.sleep(20);
      }
    }
  }

  @Test
  void openLoop_stalledServer_countsFromThePlannedTime() throws Exception {
    AtomicInteger requests = new AtomicInteger();
    try (ScriptedServer server =
            new ScriptedServer((body, out) -> {
              if (requests.getAndIncrement() == 0) {
                Thread.sleep(400);
              }
              ScriptedServer.write(out, ScriptedServer.stream(2));
              return true;
            });
        LinkPool links = server.links()) {
      SyntheticLoad.Shape shape =
          new SyntheticLoad.Shape(20, 100, new Range(2, 2), new Range(2, 2), 0, 1);
      LoadPlan plan = new SyntheticLoad(shape, TokenPool.guessed(), 3);
      // One client: whoever comes during the stall waits for it.
      List<Exchange> exchanges =
          new LoadRun(call(links, 5_000), plan, 1, Long.MAX_VALUE, done -> {}).run();

      assertThat(exchanges).hasSize(20).allMatch(Exchange::isOk);
      long waited = exchanges.stream().filter(e -> e.ttftNanos() > 150_000_000).count();
      assertThat(waited).as("requests planned during the stall").isGreaterThan(10);
      LoadSummary summary = LoadSummary.of(exchanges, Slo.parse("ttft:150ms"));
      assertThat(summary.good()).isEqualTo(20 - (int) waited);
      assertThat(summary.latency("send delay").max()).isGreaterThan(150_000_000);
      assertThat(summary.mostAtOnce()).isEqualTo(1);
    }
  }

  @Test
  void closedLoop_clients_areNeverMoreThanAskedFor() throws Exception {
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    try (ScriptedServer server =
            new ScriptedServer((body, out) -> {
              most.accumulateAndGet(running.incrementAndGet(), Math::max);
              Thread.sleep(5);
              running.decrementAndGet();
              ScriptedServer.write(out, ScriptedServer.stream(1));
              return true;
            });
        LinkPool links = server.links()) {
      SyntheticLoad.Shape shape =
          new SyntheticLoad.Shape(60, 0, new Range(2, 2), new Range(1, 1), 0, 1);
      List<Exchange> exchanges =
          new LoadRun(
                  call(links, 5_000),
                  new SyntheticLoad(shape, TokenPool.guessed(), 3),
                  4,
                  Long.MAX_VALUE,
                  done -> {})
              .run();

      assertThat(exchanges).hasSize(60).allMatch(Exchange::isOk);
      assertThat(most.get()).isBetween(2, 4);
      assertThat(IntStream.range(0, 60).mapToObj(exchanges::get).mapToInt(Exchange::events).sum())
          .isEqualTo(60);
    }
  }
}
