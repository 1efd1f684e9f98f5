package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.EngineConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Clients that hang up at each point of a request's life. Nothing of theirs is computed after
/// that, their blocks are free and every request is counted once. Numbers are those of the table in
/// `docs/behaviours.md`.
@Timeout(120)
final class DisconnectTest {
  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    // Prompts are computed slowly enough to hang up during them.
    stories = Stories.start((String) null, EngineConfig.DEFAULT.withStepTokens(2).withSequences(1));
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  private static RawClient post(String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    String head =
        "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + "Content-Length: "
            + bytes.length
            + "\r\n\r\n";
    return new RawClient(stories.server.port()).send(head + body);
  }

  private static String body(String prompt, int answer, String more) {
    return "{\"prompt\":\"%s\",\"max_tokens\":%d,\"ignore_eos\":true%s}"
        .formatted(prompt, answer, more);
  }

  private static double counted(String reason) throws Exception {
    String start = "vllm:request_success_total{model_name=\"kvasir-stories\",engine=\"0\"";
    for (String line : stories.get("/metrics").body().split("\n", -1)) {
      if (line.startsWith(start) && line.contains("\"" + reason + "\"")) {
        return Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
      }
    }
    throw new AssertionError("no counter for " + reason);
  }

  private static long computed() {
    return stories.engine.snapshot().steps().tokens();
  }

  private static void awaitRunning() throws InterruptedException {
    while (stories.engine.stats().running() == 0) {
      Thread.sleep(1);
    }
  }

  /// Everything came back, `reasons` is counted once more and nothing is computed any more.
  private static void checkGone(String reason, double before) throws Exception {
    stories.awaitIdle();
    for (int i = 0; i < 300 && counted(reason) == before; i++) {
      Thread.sleep(10);
    }
    assertThat(counted(reason)).isEqualTo(before + 1);
    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    assertThat(stories.engine.cacheStats().tables()).isZero();
    stories.engine.verify();
    Thread.sleep(60);
    long settled = computed();
    Thread.sleep(60);
    assertThat(computed()).isEqualTo(settled);
  }

  /// Behaviour 23.
  @Test
  void gone_whileQueued_isNeverComputed() throws Exception {
    double aborted = counted("abort");
    RawClient running = post(body("Once upon a time", 400, ",\"stream\":true"));
    running.until("\n\n", 1);
    long lookups = stories.engine.cacheStats().counters().lookups();
    RawClient queued = post(body("A bear", 5, ""));
    while (stories.engine.stats().waiting() == 0) {
      Thread.sleep(1);
    }
    queued.close();
    while (stories.engine.stats().waiting() > 0) {
      Thread.sleep(1);
    }
    assertThat(stories.engine.stats().running()).as("the other goes on").isEqualTo(1);
    assertThat(stories.engine.cacheStats().counters().lookups()).isEqualTo(lookups);
    running.close();
    checkGone("abort", aborted + 1);
  }

  /// Behaviour 23.
  @Test
  void gone_inPrefill_stopsThere() throws Exception {
    for (String more : List.of("", ",\"stream\":true")) {
      double aborted = counted("abort");
      long before = computed();
      String prompt = (more.isEmpty() ? "One fox. " : "Two foxes. ").repeat(300);
      RawClient client = post(body(prompt, 5, more));
      awaitRunning();
      client.close();
      checkGone("abort", aborted);
      assertThat(computed() - before).as("tokens of a prompt of 900").isLessThan(800);
    }
  }

  /// Behaviour 23.
  @Test
  void gone_inDecode_stopsThere() throws Exception {
    double aborted = counted("abort");
    RawClient client = post(body("Once upon a time", 400, ",\"stream\":true"));
    assertThat(client.until("\n\n", 6)).contains("data: ");
    client.close();
    checkGone("abort", aborted);
    aborted = counted("abort");
    RawClient whole = post(body("Once upon a day", 400, ""));
    while (stories.engine.cacheStats().tokens() < 10) {
      Thread.sleep(1);
    }
    whole.close();
    checkGone("abort", aborted);
  }

  /// Behaviour 23.
  @Test
  void gone_betweenLastTokenAndUsage_leavesNothing() throws Exception {
    double ended = counted("length");
    for (int i = 0; i < 3; i++) {
      RawClient client =
          post(
              body(
                  "Once upon a time",
                  3,
                  ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
      String seen = client.until("\"finish_reason\":\"length\"", 1);
      assertThat(seen).doesNotContain("[DONE]");
      client.close();
      checkGone("length", ended + i);
    }
  }
}
