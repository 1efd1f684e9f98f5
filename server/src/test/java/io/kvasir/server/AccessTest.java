package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// Who may use a server, how much, and what they can learn of each other.
@Timeout(120)
final class AccessTest {
  private static final String PLAIN = "/v1/completions";
  private static final String CACHED = "/usage/prompt_tokens_details/cached_tokens";
  private static final List<Access.Key> KEYS =
      List.of(
          new Access.Key("anna", "secret-of-anna"),
          new Access.Key("anna", "second-of-anna"),
          new Access.Key("", "secret-of-nobody"),
          new Access.Key("bert", "secret-of-bert"));

  private static Stories start(Access access) throws IOException {
    return Stories.start(ServerConfig.local(0).withAccess(access));
  }

  private static HttpRequest.Builder post(Stories stories, String body) {
    return HttpRequest.newBuilder(stories.uri(PLAIN))
        .POST(HttpRequest.BodyPublishers.ofString(body));
  }

  private static HttpResponse<String> send(Stories stories, HttpRequest.Builder request)
      throws Exception {
    return stories.client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static HttpResponse<String> send(Stories stories, String key, String body)
      throws Exception {
    return send(stories, post(stories, body).header("Authorization", "Bearer " + key));
  }

  private static JsonNode error(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    return Stories.parse(response.body()).get("error");
  }

  private static String prompt(String start) {
    return "{\"max_tokens\":1,\"prompt\":\"" + start + " saw the fox. ".repeat(30) + "\"}";
  }

  // ---- Keys ------------------------------------------------------------------------------------

  @Test
  void keyFile_lines_areNamesAndKeys() {
    assertThat(Access.parse("# keys\n\nplain\n anna : a-key \nbert:b:c\n"))
        .containsExactly(
            new Access.Key("", "plain"),
            new Access.Key("anna", "a-key"),
            new Access.Key("bert", "b:c"));
    assertThatThrownBy(() -> Access.parse("anna:\n")).hasMessage("the API key is empty");
    assertThatThrownBy(() -> Access.parse("an na:k")).hasMessageContaining("name of a key's owner");
    assertThatThrownBy(() -> Access.parse("käy")).hasMessageContaining("visible ASCII");
    assertThatThrownBy(() -> Access.OPEN.withKeys(Access.parse("a:k\nb:k")))
        .hasMessage("an API key is there twice");
    assertThat(KEYS.toString()).doesNotContain("secret");
  }

  @Test
  void keys_anyOfThem_letIn() throws Exception {
    try (Stories stories = start(Access.OPEN.withKeys(KEYS))) {
      String body = "{\"prompt\":\"a\",\"max_tokens\":1}";
      for (Access.Key key : KEYS) {
        assertThat(send(stories, key.value(), body).statusCode()).isEqualTo(200);
      }
      HttpRequest.Builder own = post(stories, body).header("x-api-key", "secret-of-bert");
      assertThat(send(stories, own).statusCode()).isEqualTo(200);

      for (String wrong : new String[] {"", "secret-of", "secret-of-annaa", "SECRET-OF-ANNA"}) {
        JsonNode error = error(send(stories, wrong, body), 401);
        assertThat(error.get("code").stringValue()).isEqualTo("invalid_api_key");
      }
      error(send(stories, post(stories, body)), 401);
      assertThat(stories.get("/health").statusCode()).isEqualTo(200);
      error(stories.get("/metrics"), 401);
    }
  }

  @Test
  void prefixes_ofOtherTenants_areNeverHit() throws Exception {
    try (Stories stories = start(Access.OPEN.withKeys(KEYS))) {
      String body = prompt("Anna");
      assertThat(cached(send(stories, "secret-of-anna", body))).isZero();
      assertThat(cached(send(stories, "secret-of-bert", body))).isZero();
      assertThat(cached(send(stories, "secret-of-nobody", body))).isZero();
      assertThat(cached(send(stories, "second-of-anna", body))).isPositive();
      assertThat(cached(send(stories, "secret-of-nobody", body))).isPositive();
      // A tenant cannot name another's salt.
      String forged = body.replace("{", "{\"cache_salt\":\"anna\",");
      assertThat(cached(send(stories, "secret-of-bert", forged))).isZero();
      assertThat(cached(send(stories, "secret-of-anna", forged))).isZero();
    }
  }

  @Test
  void prefixes_sharedOnRequest_areHitByAll() throws Exception {
    try (Stories stories = start(Access.OPEN.withKeys(KEYS).withSharedPrefixes())) {
      String body = prompt("Bert");
      assertThat(cached(send(stories, "secret-of-anna", body))).isZero();
      assertThat(cached(send(stories, "secret-of-bert", body))).isPositive();
    }
  }

  private static int cached(HttpResponse<String> response) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return Stories.parse(response.body()).at(CACHED).intValue();
  }

  @Test
  void nameOfANamelessKey_followsFromTheKeyAndHidesIt() {
    String name = Tenants.nameless("secret");

    assertThat(name).isEqualTo(Tenants.nameless("secret")).matches("key-[0-9a-f]{16}");
    assertThat(Tenants.nameless("secret2")).isNotEqualTo(name);
  }

  // ---- Rates -----------------------------------------------------------------------------------

  @Test
  void rate_perTenant_isBoundAndTold() throws Exception {
    try (Stories stories = start(Access.OPEN.withKeys(KEYS).withRequestsPerMinute(3))) {
      String body = "{\"prompt\":\"a\",\"max_tokens\":1}";
      for (int left = 2; left >= 0; left--) {
        HttpResponse<String> allowed = send(stories, "secret-of-anna", body);
        assertThat(allowed.statusCode()).isEqualTo(200);
        assertThat(allowed.headers().firstValue("x-ratelimit-limit-requests")).hasValue("3");
        assertThat(allowed.headers().firstValue("x-ratelimit-remaining-requests"))
            .hasValue(Integer.toString(left));
      }
      HttpResponse<String> refused = send(stories, "second-of-anna", body);
      JsonNode error = error(refused, 429);

      assertThat(error.get("type").stringValue()).isEqualTo("rate_limit_error");
      assertThat(error.get("message").stringValue()).contains("more than 3 requests in a minute");
      assertThat(refused.headers().firstValueAsLong("Retry-After").orElse(0)).isBetween(1L, 20L);
      assertThat(refused.headers().firstValue("x-ratelimit-reset-requests").orElse(""))
          .matches("\\d+s");
      assertThat(send(stories, "secret-of-bert", body).statusCode()).isEqualTo(200);
      HttpRequest.Builder look =
          HttpRequest.newBuilder(stories.uri("/v1/models"))
              .header("Authorization", "Bearer secret-of-anna");
      assertThat(send(stories, look).statusCode()).isEqualTo(200);
    }
  }

  @Test
  void bucket_fills_evenly() {
    TokenBucket bucket = new TokenBucket(60, 0);
    for (int i = 59; i >= 0; i--) {
      assertThat(bucket.take(0))
          .isEqualTo(new TokenBucket.Taken(true, i, 0, (60L - i) * 1_000_000_000L));
    }
    assertThat(bucket.take(0).allowed()).isFalse();
    assertThat(bucket.take(400_000_000L).waitNanos()).isBetween(599_000_000L, 601_000_000L);
    assertThat(bucket.take(1_000_000_001L).allowed()).isTrue();
    assertThat(bucket.take(1_500_000_000L).allowed()).isFalse();
    assertThat(bucket.take(3_600_000_000_000L).left()).isEqualTo(59);
  }

  @Test
  void requests_moreThanTheLimit_are429() throws Exception {
    ServerLimits limits = ServerLimits.DEFAULT.withRequests(2);
    try (Stories stories = Stories.start(ServerConfig.local(0).withLimits(limits))) {
      String endless = "{\"prompt\":\"Once\",\"max_tokens\":3000,\"ignore_eos\":true}";
      List<java.util.concurrent.CompletableFuture<HttpResponse<String>>> running =
          new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        running.add(
            stories.client.sendAsync(
                stories.request(PLAIN, endless), HttpResponse.BodyHandlers.ofString()));
      }
      while (stories.engine.stats().running() < 2) {
        Thread.sleep(5);
      }
      HttpResponse<String> refused = stories.post(PLAIN, "{\"prompt\":\"a\"}");
      running.forEach(each -> each.cancel(true));

      assertThat(error(refused, 429).get("message").stringValue())
          .isEqualTo("2 requests are being answered, which is the limit; try again later");
      assertThat(refused.headers().firstValue("Retry-After")).hasValue("1");
    }
  }

  // ---- Browsers --------------------------------------------------------------------------------

  @Test
  void host_otherThanLoopbacks_is403() throws Exception {
    try (Stories stories = start(Access.OPEN.withHosts(Set.of("ai.example.org")))) {
      for (String good :
          new String[] {
            "localhost",
            "localhost:99",
            "127.0.0.1:8080",
            "[::1]:8080",
            "a.localhost",
            "AI.example.org",
            "ai.example.org:443"
          }) {
        assertThat(asked(stories, "Host: " + good)).as(good).startsWith("HTTP/1.1 200 ");
      }
      for (String bad :
          new String[] {"evil.example.org", "127.0.0.1.evil.org", "evil.org:8080", "10.0.0.1"}) {
        assertThat(asked(stories, "Host: " + bad))
            .as(bad)
            .startsWith("HTTP/1.1 403 ")
            .contains("answers to localhost only");
      }
    }
  }

  @Test
  void origin_ofAnotherHost_is403UnlessAllowed() throws Exception {
    try (Stories stories = start(Access.OPEN.withOrigins(Set.of("https://good.example")))) {
      String own = "Host: localhost:1\r\nOrigin: ";
      assertThat(asked(stories, own + "http://localhost:1"))
          .startsWith("HTTP/1.1 200 ")
          .doesNotContain("Access-Control-Allow-Origin");
      assertThat(asked(stories, own + "https://good.example"))
          .startsWith("HTTP/1.1 200 ")
          .contains("Access-Control-Allow-Origin: https://good.example")
          .contains("Vary: Origin");
      assertThat(asked(stories, own + "https://evil.example"))
          .startsWith("HTTP/1.1 403 ")
          .doesNotContain("Access-Control-Allow-Origin");
      assertThat(asked(stories, own + "null")).startsWith("HTTP/1.1 403 ");
    }
  }

  @Test
  void preflight_needsNoKeyAndOnlyAnAllowedOrigin() throws Exception {
    Access access = Access.OPEN.withKeys(KEYS).withOrigins(Set.of("https://good.example"));
    try (Stories stories = start(access)) {
      String preflight =
          "OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\nOrigin: ";
      assertThat(raw(stories, preflight + "https://good.example\r\n\r\n"))
          .startsWith("HTTP/1.1 204 ")
          .contains("Access-Control-Allow-Headers: authorization,content-type")
          .contains("Access-Control-Allow-Methods: GET, POST, DELETE");
      assertThat(raw(stories, preflight + "https://evil.example\r\n\r\n"))
          .startsWith("HTTP/1.1 403 ");
    }
  }

  private static String asked(Stories stories, String headers) throws IOException {
    return raw(stories, "GET /version HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n\r\n");
  }

  private static String raw(Stories stories, String request) throws IOException {
    try (RawClient client = new RawClient(stories.server.port())) {
      return client.send(request).rest();
    }
  }

  // ---- What is told ----------------------------------------------------------------------------

  @Test
  void accessLog_lines_tellWhatHappenedButNoPromptAndNoKey() throws Exception {
    List<String> lines = Collections.synchronizedList(new ArrayList<>());
    ServerWatch watch =
        new ServerWatch() {
          @Override
          public void requested(Requested request) {
            lines.add(request.line());
          }
        };
    ServerConfig config =
        ServerConfig.local(0).withAccess(Access.OPEN.withKeys(KEYS)).withWatch(watch);
    try (Stories stories = Stories.start(config)) {
      String body = "{\"max_tokens\":3,\"ignore_eos\":true,\"prompt\":\"The zanzibar password\"}";
      send(stories, "secret-of-anna", body);
      send(stories, "wrong-zanzibar", body);
      send(stories, "secret-of-bert", "{\"prompt\":\"zanzibar\",\"max_tokens\":1000000}");
      HttpRequest.Builder nowhere =
          HttpRequest.newBuilder(stories.uri("/zanzibar?key=zanzibar"))
              .header("x-api-key", "secret-of-bert");
      send(stories, nowhere);
      for (int i = 0; i < 100 && lines.size() < 4; i++) {
        Thread.sleep(10);
      }
    }

    assertThat(lines).hasSize(4);
    assertThat(String.join("\n", lines)).doesNotContain("zanzibar", "secret", "password");
    assertThat(lines.get(0))
        .matches(
            "time=\\S+Z id=\\S+ tenant=anna method=POST route=/v1/completions status=200 "
                + "prompt_tokens=[1-9]\\d* cached_tokens=0 completion_tokens=3 ttft_ms=\\d+ duration_ms=\\d+");
    assertThat(lines.get(1)).contains(" tenant=- ", " status=401 ", " ttft_ms=- ");
    assertThat(lines.get(2)).contains(" tenant=bert ", " status=400 ");
    assertThat(lines.get(3)).contains(" route=- ", " status=404 ");
  }
}
