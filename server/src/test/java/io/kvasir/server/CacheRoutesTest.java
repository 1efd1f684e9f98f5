package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// The `/kv` routes and the page's files.
@Timeout(120)
final class CacheRoutesTest {
  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  private static HttpResponse<String> send(String method, String path) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(stories.uri(path))
            .method(method, HttpRequest.BodyPublishers.noBody())
            .build();
    return stories.client.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private static JsonNode json(String method, String path, int status) throws Exception {
    HttpResponse<String> response = send(method, path);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    return Stories.parse(response.body());
  }

  private static void complete(String prompt, int tokens) throws Exception {
    stories.post(
        "/v1/completions",
        "{\"prompt\":\"%s\",\"max_tokens\":%d,\"temperature\":0,\"ignore_eos\":true}"
            .formatted(prompt, tokens));
  }

  @Test
  void state_afterAnAnswer_showsItsBlocksAndPrefix() throws Exception {
    complete("The miller had three sons and a mill. ".repeat(10), 8);
    stories.awaitIdle();
    JsonNode state = json("GET", "/kv/state", 200);
    // What is shown may be some milliseconds old.
    for (int i = 0; i < 40 && !state.get("prefixes").toString().contains("miller"); i++) {
      Thread.sleep(50);
      state = json("GET", "/kv/state", 200);
    }

    int capacity = state.get("capacity_blocks").intValue();
    int sum = 0;
    for (JsonNode count : state.get("states")) {
      sum += count.intValue();
    }
    assertThat(sum).isEqualTo(capacity);
    assertThat(state.at("/states/cached").intValue()).isPositive();
    assertThat(state.get("prefixes").toString()).contains("The miller had three sons");
    int[] states = new int[6];
    unpack(state.get("cells").stringValue(), states);
    assertThat(states[0]).isEqualTo(state.at("/states/free").intValue());
    assertThat(states[3]).isEqualTo(state.at("/states/cached").intValue());
  }

  /// Counts cells by state. @return how many cells were told
  private static int unpack(String cells, int[] states) {
    ByteBuffer packed =
        ByteBuffer.wrap(Base64.getDecoder().decode(cells)).order(ByteOrder.LITTLE_ENDIAN);
    int told = 0;
    while (packed.hasRemaining()) {
      packed.getInt();
      for (int count = packed.getInt(); count > 0; count--) {
        states[packed.get()]++;
        packed.position(packed.position() + 11);
        told++;
      }
    }
    return told;
  }

  @Test
  void live_tellsEverythingOnce_thenWhatChanges() throws Exception {
    HttpRequest request = HttpRequest.newBuilder(stories.uri("/kv/live")).build();
    HttpResponse<InputStream> response =
        stories.client.send(request, HttpResponse.BodyHandlers.ofInputStream());
    assertThat(response.headers().firstValue("Content-Type").orElse(""))
        .startsWith("text/event-stream");
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
      JsonNode first = event(lines);
      assertThat(first.get("full").booleanValue()).isTrue();
      int capacity = first.get("capacity_blocks").intValue();
      assertThat(unpack(first.get("cells").stringValue(), new int[6])).isEqualTo(capacity);

      Thread load = Thread.startVirtualThread(CacheRoutesTest::load);
      boolean grew = false;
      for (int i = 0; i < 200 && !grew; i++) {
        JsonNode next = event(lines);
        assertThat(next.get("full").booleanValue()).isFalse();
        if (next.has("cells")) {
          int told = unpack(next.get("cells").stringValue(), new int[6]);
          assertThat(told).isPositive().isLessThan(capacity);
        }
        grew = next.at("/tables/changed").size() > 0 && next.at("/engine/running").intValue() > 0;
      }
      assertThat(grew).isTrue();
      load.join();
    }
  }

  private static void load() {
    try {
      complete("In winter the sea began to sing. ".repeat(8), 120);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static JsonNode event(BufferedReader lines) throws IOException {
    String line = lines.readLine();
    while (line != null && line.isEmpty()) {
      line = lines.readLine();
    }
    assertThat(line).startsWith("data: ");
    return Stories.parse(String.valueOf(line).substring(6));
  }

  @Test
  void audit_ofASoundCache_isClean() throws Exception {
    assertThat(json("POST", "/kv/audit", 200).get("clean").booleanValue()).isTrue();
    assertThat(send("GET", "/kv/audit").statusCode()).isEqualTo(405);
  }

  @Test
  void sessions_liveThroughTheirRoutes() throws Exception {
    String id = json("POST", "/kv/sessions", 201).get("id").stringValue();
    assertThat(json("GET", "/kv/sessions/" + id, 200).get("tokens").intValue()).isZero();
    assertThat(json("GET", "/kv/sessions", 200).get("data").toString()).contains(id);
    JsonNode fork = json("POST", "/kv/sessions/" + id + "/fork", 201);
    assertThat(fork.get("parent").stringValue()).isEqualTo(id);
    HttpResponse<String> kept = stories.post("/kv/sessions/" + id + "/rewind", "{\"tokens\":0}");
    assertThat(kept.statusCode()).isEqualTo(200);
    assertThat(stories.post("/kv/sessions/" + id + "/rewind", "{}").statusCode()).isEqualTo(400);
    assertThat(json("POST", "/kv/sessions/" + id + "/save", 409).toString())
        .contains("--session-dir");
    json("DELETE", "/kv/sessions/" + id, 200);
    json("GET", "/kv/sessions/" + id, 404);
    json("DELETE", "/kv/sessions/" + fork.get("id").stringValue(), 200);
  }

  @Test
  void chat_withSessionId_goesOnWhereItWas() throws Exception {
    String id = json("POST", "/kv/sessions", 201).get("id").stringValue();
    String body = "{\"prompt\":\"%s\",\"max_tokens\":4,\"temperature\":0,\"session_id\":\"%s\"%s}";
    String prompt = "The tailor sewed a coat for the moon. ".repeat(4);
    stories.json("/v1/completions", body.formatted(prompt, id, ""));
    stories.awaitIdle();
    int held = json("GET", "/kv/sessions/" + id, 200).get("tokens").intValue();
    assertThat(held).isGreaterThan(30);
    JsonNode again = stories.json("/v1/completions", body.formatted(prompt + " Then", id, ""));
    assertThat(again.at("/usage/prompt_tokens_details/cached_tokens").intValue())
        .isGreaterThan(held - 8);

    assertThat(stories.post("/v1/completions", body.formatted(prompt, id, ",\"n\":2")).statusCode())
        .isEqualTo(400);
    String salted = body.formatted(prompt, id, ",\"cache_salt\":\"own\"");
    assertThat(stories.post("/v1/completions", salted).statusCode()).isEqualTo(400);
    assertThat(
            stories
                .post("/v1/completions", body.formatted(prompt, "0".repeat(32), ""))
                .statusCode())
        .isEqualTo(404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/js/main.js", "/css/base.css", "/icon.svg"})
  void page_files_forbidEverythingForeign(String path) throws Exception {
    HttpResponse<String> response = stories.get(path);

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
    assertThat(response.headers().firstValue("Content-Security-Policy").orElse(""))
        .contains("default-src 'none'", "frame-ancestors 'none'")
        .doesNotContain("unsafe");
    String tag = response.headers().firstValue("ETag").orElseThrow();
    HttpRequest again =
        HttpRequest.newBuilder(stories.uri(path)).header("If-None-Match", tag).build();
    assertThat(stories.client.send(again, HttpResponse.BodyHandlers.ofString()).statusCode())
        .isEqualTo(304);
  }

  @Test
  void pageFiles_areNamedEvenly_andNoOthersAreServed() throws Exception {
    for (String path : List.of("/js/", "/js/nothing.js", "/css/../index.html", "/index.html")) {
      assertThat(stories.get(path).statusCode()).as(path).isEqualTo(404);
    }
  }

  @ParameterizedTest
  @CsvSource({"cross-site,403", "same-site,403", "same-origin,201", "none,201"})
  void session_askedForByAPageOfAnotherSite_isRefused(String site, int status) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(stories.uri("/kv/sessions"))
            .header("Sec-Fetch-Site", site)
            .POST(HttpRequest.BodyPublishers.noBody())
            .build();

    assertThat(stories.client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode())
        .isEqualTo(status);
  }

  @Test
  void key_guardsCacheRoutes_andThePageLoadsWithout() throws Exception {
    try (Stories locked = Stories.start(ServerConfig.local(0).withApiKey("a-key"))) {
      assertThat(locked.get("/").statusCode()).isEqualTo(200);
      assertThat(locked.get("/js/main.js").statusCode()).isEqualTo(200);
      for (String path : List.of("/kv/state", "/kv/live", "/kv/sessions", "/kv/sessions/x")) {
        assertThat(locked.get(path).statusCode()).as(path).isEqualTo(401);
      }
      assertThat(locked.post("/kv/audit", "").statusCode()).isEqualTo(401);
    }
  }
}
