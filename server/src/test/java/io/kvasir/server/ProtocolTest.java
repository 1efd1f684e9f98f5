package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// What the server answers to anything but a good request to generate.
@Timeout(120)
final class ProtocolTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String PLAIN = "/v1/completions";

  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  private static JsonNode error(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    JsonNode error = Stories.parse(response.body()).get("error");
    assertThat(error.get("message").stringValue()).isNotBlank();
    assertThat(error.get("type").stringValue()).isNotBlank();
    assertThat(error.has("param")).isTrue();
    return error;
  }

  @Test
  void status_routes_answer() throws Exception {
    assertThat(stories.get("/health").statusCode()).isEqualTo(200);
    assertThat(stories.get("/ready").statusCode()).isEqualTo(200);
    assertThat(Stories.parse(stories.get("/version").body()).has("version")).isTrue();
    JsonNode models = Stories.parse(stories.get("/v1/models").body());
    assertThat(models.at("/data/0/id").stringValue()).isEqualTo(Stories.NAME);
    assertThat(models.at("/data/0/root").stringValue()).isEqualTo(Stories.NAME);
    assertThat(stories.get("/v1/models/" + Stories.NAME).statusCode()).isEqualTo(200);
    error(stories.get("/v1/models/other"), 404);
  }

  @Test
  void wrongRoutesAndMethods_areNamed() throws Exception {
    error(stories.get("/v1/nothing"), 404);
    HttpResponse<String> wrong = stories.get(CHAT);
    error(wrong, 405);
    assertThat(wrong.headers().firstValue("Allow")).hasValue("POST");
    error(stories.post("/health", "{}"), 405);
  }

  @Test
  void model_unknown_is404() throws Exception {
    JsonNode error = error(stories.post(PLAIN, "{\"model\":\"x\",\"prompt\":\"a\"}"), 404);

    assertThat(error.get("code").stringValue()).isEqualTo("model_not_found");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "temperature|\"warm\"",
        "temperature|-1",
        "top_p|0",
        "top_p|2",
        "min_p|2",
        "top_k|-2",
        "top_k|1.5",
        "max_tokens|0",
        "max_tokens|\"many\"",
        "max_completion_tokens|1e99",
        "n|0",
        "n|1000",
        "seed|\"x\"",
        "seed|99999999999999999999",
        "stop|7",
        "stop|[\"a\",3]",
        "stop|\"\"",
        "stream|\"yes\"",
        "ignore_eos|1",
        "cache_salt|\"\"",
        "logit_bias|{\"a\":1}",
        "logit_bias|{\"5\":1000}",
        "stop_token_ids|[-1]",
        "best_of|0",
        "prompt|{}",
        "prompt|[]",
        "prompt|[1,99999999]",
        "prompt|[[1],\"a\",true]",
        "logprobs|21",
        "echo|1",
        "cache_salt|\"a@b\"",
        "priority|\"high\"",
        "user|7",
        "prompt_cache_key|[]",
        "suffix|\"end\"",
        "response_format|{\"type\":\"yaml\"}",
        "min_tokens|17"
      })
  void field_wrongOrUnsupported_isNamed(String field, String value) throws Exception {
    String prompt = field.equals("prompt") ? "" : "\"prompt\":\"a\",";
    String body = "{" + prompt + "\"" + field + "\":" + value + "}";
    JsonNode error = error(stories.post(PLAIN, body), 400);

    assertThat(error.get("param").stringValue()).isEqualTo(field);
    assertThat(error.get("message").stringValue()).contains(field.replace("_token_ids", ""));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tools", "logprobs", "top_logprobs", "functions", "reasoning_effort"})
  void chatField_unsupported_isNamed(String field) throws Exception {
    String value = field.equals("tools") || field.equals("functions") ? "[{}]" : "5";
    JsonNode error =
        error(
            stories.post(
                CHAT,
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"%s\":%s}"
                    .formatted(field, value)),
            400);

    assertThat(error.get("param").stringValue()).isEqualTo(field);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"messages\":null}",
        "{\"messages\":[]}",
        "{\"messages\":\"a\"}",
        "{\"messages\":[1]}",
        "{\"messages\":[{\"role\":\"king\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"user\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":5}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}"
      })
  void messages_wrong_areNamed(String body) throws Exception {
    assertThat(error(stories.post(CHAT, body), 400).get("param").stringValue())
        .isEqualTo("messages");
  }

  @Test
  void nullsAndUnknownFields_areIgnored() throws Exception {
    String body =
        "{\"prompt\":\"a\",\"max_tokens\":1,\"logprobs\":null,\"stop\":null,\"seed\":null,\"logit_bias\":null,\"brand_new\":{\"x\":1}}";

    assertThat(stories.post(PLAIN, body).statusCode()).isEqualTo(200);
  }

  @Test
  void prompt_tooLong_isRefusedBeforeAnyWork() throws Exception {
    long before = stories.engine.cacheStats().counters().lookups();
    JsonNode error =
        error(stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":1000000000}"), 400);

    assertThat(error.get("message").stringValue()).contains("maximum context length");
    assertThat(error.get("code").stringValue()).isEqualTo("context_length_exceeded");
    assertThat(stories.engine.cacheStats().counters().lookups()).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[]", "7", "{\"prompt\":\"a\"} x", "{\"prompt\":NaN}"})
  void body_notAJsonObject_is400(String body) throws Exception {
    error(stories.post(PLAIN, body), 400);
  }

  @Test
  void body_deep_is400() throws Exception {
    error(stories.post(PLAIN, "{\"a\":" + "[".repeat(1_000_000)), 400);
  }

  @Test
  void body_invalidUtf8_is400() throws Exception {
    byte[] body = "{\"prompt\":\"a?\"}".getBytes(StandardCharsets.US_ASCII);
    body[12] = (byte) 0xff;
    HttpRequest request =
        HttpRequest.newBuilder(stories.uri(PLAIN))
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build();

    error(stories.client.send(request, HttpResponse.BodyHandlers.ofString()), 400);
  }

  @Test
  void body_of100Megabytes_is413() throws Exception {
    assertThat(flood("Content-Length: 104857600\r\n\r\n", new byte[1 << 16], 1_600))
        .startsWith("HTTP/1.1 413 ")
        .contains("\"error\"");
  }

  @Test
  void body_of100MegabytesInChunks_is413() throws Exception {
    byte[] chunk = new byte[4 + 2 + 4096 + 2];
    Arrays.fill(chunk, (byte) ' ');
    System.arraycopy("1000\r\n".getBytes(StandardCharsets.US_ASCII), 0, chunk, 0, 6);
    chunk[chunk.length - 2] = '\r';
    chunk[chunk.length - 1] = '\n';
    assertThat(flood("Transfer-Encoding: chunked\r\n\r\n", chunk, 25_600))
        .startsWith("HTTP/1.1 413 ")
        .contains("\"error\"");
  }

  /// Sends until the server has had enough; returns what it said.
  private static String flood(String head, byte[] piece, int pieces) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), stories.server.port())) {
      socket.setSoTimeout(20_000);
      OutputStream out = socket.getOutputStream();
      out.write(
          ("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + head)
              .getBytes(StandardCharsets.US_ASCII));
      Thread sender =
          Thread.startVirtualThread(() -> {
            try {
              for (int i = 0; i < pieces; i++) {
                out.write(piece);
              }
            } catch (IOException e) {
              // The server closed, as it should.
            }
          });
      InputStream in = socket.getInputStream();
      byte[] answer = new byte[2000];
      int length = 0;
      while (length < answer.length
          && !new String(answer, 0, length, StandardCharsets.UTF_8).contains("\"error\"")) {
        int n = in.read(answer, length, answer.length - length);
        if (n < 0) {
          break;
        }
        length += n;
      }
      sender.interrupt();
      return new String(answer, 0, length, StandardCharsets.UTF_8);
    }
  }

  @Test
  void stops_tenThousand_are400() throws Exception {
    String stops = "\"a\",".repeat(9_999) + "\"a\"";
    error(stories.post(PLAIN, "{\"prompt\":\"a\",\"stop\":[" + stops + "]}"), 400);
  }

  @Test
  void metrics_afterARequest_countIt() throws Exception {
    stories.post(PLAIN, "{\"prompt\":\"a\",\"max_tokens\":2,\"ignore_eos\":true}");
    String text = stories.get("/metrics").body();

    assertThat(text)
        .contains("# TYPE vllm:num_requests_running gauge\n")
        .contains("vllm:num_requests_waiting{model_name=\"kvasir-stories\",engine=\"0\"} 0\n")
        .contains("vllm:kv_cache_usage_perc{")
        .containsPattern("vllm:prefix_cache_queries_total\\{[^}]*} [1-9]")
        .containsPattern("vllm:generation_tokens_total\\{[^}]*} [1-9]")
        .containsPattern("vllm:request_success_total\\{[^}]*finished_reason=\"length\"} [1-9]")
        .containsPattern("vllm:time_to_first_token_seconds_count\\{[^}]*} [1-9]")
        .containsPattern("vllm:e2e_request_latency_seconds_bucket\\{[^}]*le=\"\\+Inf\"} [1-9]");
  }

  @Test
  void reset_idle_forgetsPrefixes() throws Exception {
    String prompt = "Once upon a time there was a fox. ".repeat(8);
    String body = "{\"prompt\":\"" + prompt + "\",\"max_tokens\":1}";
    stories.post(PLAIN, body);
    stories.awaitIdle();
    JsonNode reset = stories.json("/reset_prefix_cache", "");

    assertThat(reset.get("success").booleanValue()).isTrue();
    assertThat(reset.get("blocks_freed").intValue()).isPositive();
    assertThat(
            stories.json(PLAIN, body).at("/usage/prompt_tokens_details/cached_tokens").intValue())
        .isZero();
  }

  @Test
  void apiKey_wrongOrMissing_is401() throws Exception {
    try (Stories locked = Stories.start(ServerConfig.local(0).withApiKey("secret"))) {
      assertThat(locked.get("/health").statusCode()).isEqualTo(200);
      error(locked.get("/v1/models"), 401);
      assertThat(keyed(locked, "Bearer secret")).isEqualTo(200);
      assertThat(keyed(locked, "bearer secret")).isEqualTo(200);
      assertThat(keyed(locked, "Bearer secre")).isEqualTo(401);
      assertThat(keyed(locked, "Basic secret")).isEqualTo(401);
      assertThat(sent(locked, "x-api-key", "secret")).isEqualTo(200);
      assertThat(sent(locked, "x-api-key", "secre")).isEqualTo(401);
    }
  }

  private static int keyed(Stories locked, String authorization) throws Exception {
    return sent(locked, "Authorization", authorization);
  }

  private static int sent(Stories locked, String header, String value) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(locked.uri("/v1/models")).header(header, value).build();
    return locked.client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
  }

  @Test
  void close_whileARequestRuns_letsItEnd() throws Exception {
    try (Stories closing = Stories.start()) {
      var pending =
          closing.client.sendAsync(
              closing.request(
                  PLAIN, "{\"prompt\":\"Once\",\"max_tokens\":150,\"ignore_eos\":true}"),
              HttpResponse.BodyHandlers.ofString());
      while (closing.engine.stats().running() == 0) {
        Thread.sleep(1);
      }
      Thread closer = Thread.startVirtualThread(closing.server::close);
      while (closing.get("/ready").statusCode() == 200) {
        Thread.sleep(1);
      }
      HttpResponse<String> refused = closing.post(PLAIN, "{\"prompt\":\"a\"}");

      error(refused, 503);
      assertThat(refused.headers().firstValue("Retry-After")).isPresent();
      JsonNode answer = Stories.parse(pending.get().body());
      assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(150);
      assertThat(closer.join(Duration.ofSeconds(20))).isTrue();
    }
  }

  @Test
  void answer_clientAsksForClose_endsTheConnection() throws IOException {
    for (String request :
        List.of(
            "GET /health HTTP/1.1",
            "GET /v1/models HTTP/1.1",
            "GET /nothing HTTP/1.1",
            "GET /v1/models/other HTTP/1.1")) {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), stories.server.port())) {
        socket.setSoTimeout(20_000);
        String head = request + "\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
            .as(request)
            .startsWith("HTTP/1.1 ");
      }
    }
  }
}
