package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.EngineConfig;
import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierStats;
import java.lang.foreign.MemorySegment;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// The statuses of what goes wrong behind a good request. Numbers are those of the table in
/// `docs/behaviours.md`.
@Timeout(120)
final class FaultsTest {
  private static final String PLAIN = "/v1/completions";
  private static final String LONG = "The fox ran over the hill. ".repeat(12);

  /// A tier with a bug that a test switches on.
  private static final class BrokenTier implements Tier {
    private volatile boolean lookupFails;
    private volatile boolean statsFail;

    @Override
    public String name() {
      return "broken";
    }

    @Override
    public boolean contains(BlockKey key) {
      if (lookupFails) {
        throw new IllegalStateException("a secret of the tier");
      }
      return false;
    }

    @Override
    public boolean store(BlockKey key, MemorySegment bytes) {
      return false;
    }

    @Override
    public int load(List<BlockKey> keys, List<MemorySegment> into) {
      return 0;
    }

    @Override
    public TierStats stats() {
      if (statsFail) {
        throw new IllegalStateException("another secret of the tier");
      }
      return new TierStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    @Override
    public void verify() {}

    @Override
    public void close() {}
  }

  private final BrokenTier tier = new BrokenTier();

  private Stories start(EngineConfig config) throws Exception {
    return Stories.start((String) null, config.withTiers(List.of((fingerprint, bytes) -> tier)));
  }

  private static String body(String prompt, int answer, String more) {
    return "{\"prompt\":\"%s\",\"max_tokens\":%d,\"ignore_eos\":true%s}"
        .formatted(prompt, answer, more);
  }

  private static JsonNode error(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    JsonNode error = Stories.parse(response.body()).get("error");
    assertThat(error.get("message").stringValue()).isNotBlank().doesNotContain("secret");
    assertThat(error.get("code").intValue()).isEqualTo(status);
    return error;
  }

  /// Behaviour 37: an engine fault in one request.
  @Test
  void step_fails_is500ForItsRequestOnly() throws Exception {
    try (Stories stories = start(EngineConfig.DEFAULT)) {
      tier.lookupFails = true;
      error(stories.post(PLAIN, body(LONG, 2, "")), 500);
      // Its headers have not left, so a stream has the status too.
      error(stories.post(PLAIN, body(LONG, 2, ",\"stream\":true")), 500);
      tier.lookupFails = false;
      assertThat(stories.post(PLAIN, body(LONG, 2, "")).statusCode()).isEqualTo(200);
      assertThat(stories.get("/health").statusCode()).isEqualTo(200);
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    }
  }

  /// Behaviours 29 and 37.
  @Test
  void engine_dies_endsEveryStreamWithAnErrorEvent() throws Exception {
    try (Stories stories = start(EngineConfig.DEFAULT.withSequences(2))) {
      List<CompletableFuture<HttpResponse<String>>> streams = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        String more = i == 3 ? "" : ",\"stream\":true";
        streams.add(
            stories.client.sendAsync(
                stories.request(PLAIN, body("Once " + i, 450, more)),
                HttpResponse.BodyHandlers.ofString()));
      }
      while (stories.engine.cacheStats().tokens() < 40 || stories.engine.stats().waiting() < 2) {
        Thread.sleep(1);
      }
      tier.statsFail = true;
      int begun = 0;
      for (CompletableFuture<HttpResponse<String>> stream : streams) {
        HttpResponse<String> response = stream.get();
        if (response.statusCode() == 200) {
          begun++;
          List<String> events = response.body().strip().lines().filter(l -> !l.isEmpty()).toList();
          assertThat(events.getLast()).isEqualTo("data: [DONE]");
          JsonNode error = Stories.parse(events.get(events.size() - 2).substring(6)).get("error");
          assertThat(error.get("code").intValue()).isEqualTo(500);
        } else {
          error(response, 500);
        }
      }
      assertThat(begun).isGreaterThanOrEqualTo(1);
      assertThat(stories.get("/health").statusCode()).isEqualTo(503);
      assertThat(stories.get("/ready").statusCode()).isEqualTo(503);
      assertThat(stories.get("/live").statusCode()).isEqualTo(200);
      HttpResponse<String> refused = stories.post(PLAIN, body("Once", 2, ""));
      error(refused, 503);
      assertThat(refused.headers().firstValue("Retry-After")).isPresent();
      assertThat(stories.get("/metrics").statusCode()).isEqualTo(200);
    }
  }

  /// Behaviours 21 and 37: larger than the pool.
  @Test
  void request_largerThanThePool_is400AtOnce() throws Exception {
    try (Stories stories = Stories.startWithCache(EngineConfig.DEFAULT, 1 << 20)) {
      int blocks = stories.engine.cacheStats().capacityBlocks();
      assertThat(16 * blocks).isLessThan(stories.engine.contextTokens());
      JsonNode error = error(stories.post(PLAIN, body("Once", 16 * blocks, "")), 400);
      assertThat(error.get("message").stringValue()).contains("the cache has " + blocks);
      assertThat(stories.engine.stats().waiting()).isZero();
      assertThat(stories.post(PLAIN, body("Once", 5, "")).statusCode()).isEqualTo(200);
    }
  }
}
