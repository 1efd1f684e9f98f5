package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The field `prune` of generating requests.
@Timeout(120)
final class PruneFieldTest {
  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  /// Tokens that pruning dropped for a chat.
  private static long pruned(String system, String user, String field) throws Exception {
    long before = stories.engine.stats().prunedTokens();
    HttpResponse<String> response =
        stories.post(
            "/v1/chat/completions",
            """
            {"messages": [{"role": "system", "content": "%s"}, {"role": "user", "content": "%s"}],
             "max_tokens": 4, "temperature": 0, "ignore_eos": true %s}
            """
                .formatted(system, user, field));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return stories.engine.stats().prunedTokens() - before;
  }

  @Test
  void chat_pruned_keepsTheSystemMessage() throws Exception {
    String filler = "The miller had three sons and a mill. ".repeat(20);
    int tokens = stories.tokenizer.encode(filler, false).length;
    String half = ", \"prune\": \"random:0.5\"";
    assertThat(pruned("Hello.", filler, "")).isZero();
    assertThat(pruned("Hello.", filler, ", \"prune\": \"none\"")).isZero();
    long user = pruned("Hello.", filler, half);
    assertThat(user).isBetween((tokens - 80) / 2L, tokens / 2L);
    // The same text as system message stays.
    assertThat(pruned(filler, "Hello.", half)).isZero();
    long both = pruned(filler, filler, half);
    assertThat(both).isBetween((tokens - 80) / 2L, (tokens + 20) / 2L);
    assertThat(stories.get("/metrics").body()).contains("kvasir_pruned_tokens_total");
  }

  @ParameterizedTest
  @ValueSource(strings = {"best:0.5", "window", "window:2"})
  void completion_nonsense_is400WithTheReason(String value) throws Exception {
    HttpResponse<String> response =
        stories.post(
            "/v1/completions",
            "{\"prompt\": \"Once\", \"max_tokens\": 2, \"prune\": \"%s\"}".formatted(value));
    assertThat(response.statusCode()).isEqualTo(400);
    String why = value.equals("window:2") ? "less than 1" : "snapkv";
    assertThat(response.body()).contains(why);
  }
}
