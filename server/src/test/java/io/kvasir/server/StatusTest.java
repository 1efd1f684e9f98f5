package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.EngineConfig;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// What requests are told that come while the engine is busy with others.
@Timeout(120)
final class StatusTest {
  private static final String PLAIN = "/v1/completions";
  private static final String LONG =
      "{\"prompt\":\"Once\",\"max_tokens\":3000,\"ignore_eos\":true}";
  private static final EngineConfig ONE_AT_A_TIME =
      EngineConfig.DEFAULT.withSequences(1).withQueueLimit(1);

  private static CompletableFuture<HttpResponse<String>> start(Stories stories, int running)
      throws InterruptedException {
    CompletableFuture<HttpResponse<String>> pending =
        stories.client.sendAsync(
            stories.request(PLAIN, LONG), HttpResponse.BodyHandlers.ofString());
    while (stories.engine.stats().running() + stories.engine.stats().waiting() < running) {
      Thread.sleep(2);
    }
    return pending;
  }

  private static JsonNode error(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    JsonNode error = Stories.parse(response.body()).get("error");
    assertThat(error.get("code").intValue()).isEqualTo(status);
    return error;
  }

  @Test
  void queue_full_is429WithRetryAfter() throws Exception {
    try (Stories stories = Stories.start(ServerConfig.local(0), ONE_AT_A_TIME)) {
      List<CompletableFuture<HttpResponse<String>>> running = new ArrayList<>();
      running.add(start(stories, 1));
      running.add(start(stories, 2));
      HttpResponse<String> refused = stories.post(PLAIN, "{\"prompt\":\"a\"}");
      running.forEach(each -> each.cancel(true));

      assertThat(error(refused, 429).get("message").stringValue())
          .isEqualTo("1 requests are waiting, which is the limit; try again later");
      assertThat(refused.headers().firstValueAsLong("Retry-After").orElse(0)).isPositive();
    }
  }

  @Test
  void queue_tooLong_is504() throws Exception {
    ServerLimits limits = ServerLimits.DEFAULT.withQueue(Duration.ofMillis(50));
    try (Stories stories = Stories.start(ServerConfig.local(0).withLimits(limits), ONE_AT_A_TIME)) {
      CompletableFuture<HttpResponse<String>> running = start(stories, 1);
      HttpResponse<String> whole = stories.post(PLAIN, "{\"prompt\":\"a\"}");
      HttpResponse<String> stream = stories.post(PLAIN, "{\"prompt\":\"a\",\"stream\":true}");
      running.cancel(true);

      assertThat(error(whole, 504).get("message").stringValue()).contains("waited too long");
      error(stream, 504);
      stories.awaitIdle();
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    }
  }

  @Test
  void reset_whileARequestRuns_is409() throws Exception {
    try (Stories stories = Stories.start(ServerConfig.local(0), ONE_AT_A_TIME)) {
      CompletableFuture<HttpResponse<String>> running = start(stories, 1);
      HttpResponse<String> refused = stories.post("/reset_prefix_cache", "");
      HttpResponse<String> flush = stories.post("/flush_cache", "");
      running.cancel(true);

      error(refused, 409);
      assertThat(flush.statusCode()).isEqualTo(400);
    }
  }
}
