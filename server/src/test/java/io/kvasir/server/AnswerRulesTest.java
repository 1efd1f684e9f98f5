package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// When answers end, what they say was cached, and that many come at once. Numbers are those of the
/// table in `docs/behaviours.md`.
@Timeout(180)
final class AnswerRulesTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String PLAIN = "/v1/completions";
  private static final String TALK =
      "[{\"role\":\"user\",\"content\":\"Tell me a story about a fox and a bear in the wood.\"}]";

  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  /// Behaviour 20.
  @Test
  void endOfText_stopIdsIgnoreEosMinAndMax_inEveryCombination() throws Exception {
    int end = stories.tokenizer.endOfGenerationIds()[0];
    int other = stories.tokenizer.encode(" fox", false)[0];
    for (boolean ignored : new boolean[] {false, true}) {
      for (int stop : new int[] {-1, other, end}) {
        for (int max : new int[] {1, 2, 5}) {
          for (int min = 0; min <= max; min++) {
            checkEnd(end, ignored, stop, min, max);
          }
        }
      }
    }
  }

  /// The end of the text is what the model always wants to say most.
  private static void checkEnd(int end, boolean ignored, int stop, int min, int max)
      throws Exception {
    String body =
        "{\"prompt\":\"Once\",\"temperature\":0,\"logit_bias\":{\"%d\":100},\"ignore_eos\":%b,\"min_tokens\":%d,\"max_tokens\":%d%s}"
            .formatted(
                end, ignored, min, max, stop < 0 ? "" : ",\"stop_token_ids\":[" + stop + "]");
    JsonNode answer = stories.json(PLAIN, body);
    boolean stops = !ignored || stop == end;
    int expected = stops ? min : max;
    assertThat(answer.at("/usage/completion_tokens").intValue()).as(body).isEqualTo(expected);
    assertThat(answer.at("/choices/0/finish_reason").stringValue())
        .as(body)
        .isEqualTo(stops && min < max ? "stop" : "length");
  }

  /// Behaviour 38.
  @Test
  void tokenize_ofAChat_isWhatTheChatComputes() throws Exception {
    JsonNode tokens = stories.json("/tokenize", "{\"messages\":" + TALK + "}");
    int count = tokens.get("count").intValue();
    String settings = ",\"temperature\":0,\"max_tokens\":8,\"ignore_eos\":true}";
    JsonNode chat = stories.json(CHAT, "{\"messages\":" + TALK + settings);
    stories.awaitIdle();
    JsonNode plain = stories.json(PLAIN, "{\"prompt\":" + tokens.get("tokens") + settings);

    assertThat(chat.at("/usage/prompt_tokens").intValue()).isEqualTo(count);
    assertThat(plain.at("/usage/prompt_tokens").intValue()).isEqualTo(count);
    assertThat(cached(plain)).as("all but the last token").isEqualTo(count - 1);
    assertThat(plain.at("/choices/0/text").stringValue().strip())
        .isEqualTo(chat.at("/choices/0/message/content").stringValue().strip());
  }

  private static int cached(JsonNode answer) {
    return answer.at("/usage/prompt_tokens_details/cached_tokens").intValue();
  }

  private static JsonNode last(String stream, String pointer) {
    JsonNode found = null;
    for (String line : stream.split("\n", -1)) {
      if (line.startsWith("data: {")) {
        JsonNode at = Stories.parse(line.substring(6)).at(pointer);
        found = at.isMissingNode() || at.isNull() ? found : at;
      }
    }
    assertThat(found).as(pointer).isNotNull();
    return found == null ? Wire.object() : found;
  }

  private interface Shape {
    int cached() throws Exception;
  }

  /// Behaviour 38.
  @Test
  void cachedTokens_everyShape_areTheEnginesCount() throws Exception {
    String chat = "{\"messages\":" + TALK + ",\"max_tokens\":2";
    String usage = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    String input = TALK;
    String response = "{\"input\":" + input + ",\"max_output_tokens\":2";
    String details = "/usage/prompt_tokens_details/cached_tokens";
    stories.post(CHAT, chat + "}");
    stories.post("/v1/messages", chat + "}");
    stories.post("/v1/responses", response + "}");
    List<Shape> shapes =
        List.of(
            () -> cached(stories.json(CHAT, chat + "}")),
            () -> last(stories.post(CHAT, chat + usage + "}").body(), details).intValue(),
            () ->
                stories
                    .json("/v1/messages", chat + "}")
                    .at("/usage/cache_read_input_tokens")
                    .intValue(),
            () ->
                last(
                        stories.post("/v1/messages", chat + ",\"stream\":true}").body(),
                        "/usage/cache_read_input_tokens")
                    .intValue(),
            () ->
                stories
                    .json("/v1/responses", response + "}")
                    .at("/usage/input_tokens_details/cached_tokens")
                    .intValue(),
            () ->
                last(
                        stories.post("/v1/responses", response + ",\"stream\":true}").body(),
                        "/response/usage/input_tokens_details/cached_tokens")
                    .intValue());
    for (int i = 0; i < shapes.size(); i++) {
      stories.awaitIdle();
      long before = stories.engine.cacheStats().counters().hitTokens();
      int told = shapes.get(i).cached();
      stories.awaitIdle();
      long hits = stories.engine.cacheStats().counters().hitTokens() - before;
      assertThat(told).as("shape %d", i).isPositive().isEqualTo((int) hits);
    }
  }

  /// Behaviour 37: 1,024 streams at once, of which a fifth hang up.
  @Test
  void streams_1024AtOnceAndAFifthGone_allEndAndNothingIsLeft() throws Exception {
    AtomicInteger whole = new AtomicInteger();
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Semaphore open = new Semaphore(0);
    List<Thread> clients = new ArrayList<>();
    String body =
        "{\"prompt\":\"%s\",\"max_tokens\":2,\"ignore_eos\":true,\"stream\":true}"
            .formatted("The fox ran over the hill. ".repeat(6));
    // What they share is computed once.
    stories.post(PLAIN, body);
    String request =
        "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body;
    for (int i = 0; i < 1_024; i++) {
      boolean leaves = i % 5 == 0;
      clients.add(
          Thread.startVirtualThread(() -> {
            try (RawClient client = new RawClient(stories.server.port(), 100_000)) {
              open.release();
              // All are connected before the first asks.
              open.acquire(1_024);
              open.release(1_024);
              client.send(request);
              if (leaves) {
                return;
              }
              String answer = client.until("data: [DONE]\n\n", 1);
              assertThat(answer).startsWith("HTTP/1.1 200").contains("\"length\"");
              whole.incrementAndGet();
            } catch (IOException | InterruptedException | AssertionError e) {
              failure.compareAndSet(null, e);
            }
          }));
    }
    for (Thread client : clients) {
      client.join();
    }
    assertThat(failure.get()).isNull();
    assertThat(whole.get()).isEqualTo(1_024 - 205);
    stories.awaitIdle();
    assertThat(stories.engine.stats().running() + stories.engine.stats().waiting()).isZero();
    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    assertThat(stories.engine.cacheStats().tables()).isZero();
    stories.engine.verify();
    HttpResponse<String> after = stories.get("/health");
    assertThat(after.statusCode()).isEqualTo(200);
  }
}
