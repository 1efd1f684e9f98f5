package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// Answers of the default model over HTTP: whole, streamed, shared, stopped and abandoned.
@Timeout(120)
final class GenerationTest {
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

  private static String chat(String more) {
    return "{\"model\":\"kvasir-stories\",\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story about a fox.\"}],\"temperature\":0"
        + more
        + "}";
  }

  private static String plain(String prompt, String more) {
    return "{\"prompt\":" + prompt + ",\"temperature\":0" + more + "}";
  }

  private static List<JsonNode> events(String stream) {
    assertThat(stream).endsWith("data: [DONE]\n\n").doesNotContain("\r");
    String[] events = stream.split("\n\n");
    assertThat(Arrays.asList(events)).allMatch(event -> event.startsWith("data: "));
    List<JsonNode> parsed = new ArrayList<>();
    for (int i = 0; i < events.length - 1; i++) {
      assertThat(events[i]).doesNotContain("\n");
      parsed.add(Stories.parse(events[i].substring("data: ".length())));
    }
    return parsed;
  }

  private static String text(JsonNode answer) {
    return answer.at("/choices/0/message/content").stringValue();
  }

  @Test
  void chat_whole_hasOpenAiForm() throws Exception {
    HttpResponse<String> response = stories.post(CHAT, chat(",\"max_tokens\":12"));
    JsonNode answer = Stories.parse(response.body());

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
    assertThat(answer.get("id").stringValue()).startsWith("chatcmpl-");
    assertThat(answer.get("object").stringValue()).isEqualTo("chat.completion");
    assertThat(answer.get("model").stringValue()).isEqualTo("kvasir-stories");
    assertThat(answer.at("/choices/0/message/role").stringValue()).isEqualTo("assistant");
    assertThat(answer.at("/choices/0/finish_reason").stringValue()).isEqualTo("length");
    assertThat(text(answer)).isNotBlank();
    assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(12);
    assertThat(answer.at("/usage/total_tokens").intValue())
        .isEqualTo(answer.at("/usage/prompt_tokens").intValue() + 12);
    assertThat(answer.at("/usage/prompt_tokens_details/cached_tokens").isInt()).isTrue();
  }

  @Test
  void chat_stream_isByteExactAndEqualsWhole() throws Exception {
    String more = ",\"max_completion_tokens\":12";
    String whole = text(stories.json(CHAT, chat(more)));
    HttpResponse<String> response =
        stories.post(
            CHAT, chat(more + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    List<JsonNode> events = events(response.body());

    assertThat(response.headers().firstValue("Content-Type"))
        .hasValue("text/event-stream; charset=utf-8");
    String id = events.getFirst().get("id").stringValue();
    String created = events.getFirst().get("created").toString();
    String head =
        "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%s,\"model\":\"kvasir-stories\",\"choices\":["
            .formatted(id, created);
    assertThat(response.body())
        .startsWith(
            head
                + "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
                + head
                + "{\"index\":0,\"delta\":{\"content\":\"")
        .contains(
            head
                + "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n"
                + head
                + "],\"usage\":{\"prompt_tokens\":");
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events.subList(1, events.size() - 2)) {
      text.append(event.at("/choices/0/delta/content").stringValue());
    }
    assertThat(text.toString()).isEqualTo(whole);
    assertThat(events).hasSize(1 + 12 + 2);
    assertThat(events.getLast().at("/usage/completion_tokens").intValue()).isEqualTo(12);
  }

  @Test
  void stream_withoutUsageOption_hasNoUsage() throws Exception {
    List<JsonNode> events =
        events(stories.post(CHAT, chat(",\"max_tokens\":3,\"stream\":true")).body());

    assertThat(events).allMatch(event -> !event.has("usage") && event.get("choices").size() == 1);
  }

  @Test
  void stream_continuousUsage_countsUp() throws Exception {
    List<JsonNode> events =
        events(
            stories
                .post(
                    PLAIN,
                    plain(
                        "\"Once\"",
                        ",\"max_tokens\":4,\"stream\":true,\"stream_options\":{\"continuous_usage_stats\":true}"))
                .body());

    assertThat(events)
        .extracting(event -> event.at("/usage/completion_tokens").intValue())
        .containsExactly(1, 2, 3, 4, 4);
    assertThat(events).allMatch(event -> event.at("/choices/0/text").isString());
  }

  @Test
  void completion_textAndItsIds_giveTheSame() throws Exception {
    JsonNode ids = stories.json("/tokenize", "{\"prompt\":\"Once upon a time\"}");
    JsonNode byText = stories.json(PLAIN, plain("\"Once upon a time\"", ""));
    JsonNode byIds = stories.json(PLAIN, plain(ids.get("tokens").toString(), ""));

    assertThat(byText.at("/usage/completion_tokens").intValue()).isEqualTo(16);
    assertThat(byText.at("/usage/prompt_tokens")).isEqualTo(ids.get("count"));
    assertThat(byIds.at("/choices/0/text")).isEqualTo(byText.at("/choices/0/text"));
  }

  @Test
  void completion_severalPromptsAndAnswers_areNumberedPromptByPrompt() throws Exception {
    JsonNode one = stories.json(PLAIN, plain("\"A cat\"", ",\"max_tokens\":5"));
    JsonNode both =
        stories.json(PLAIN, plain("[\"A dog\",\"A cat\"]", ",\"max_tokens\":5,\"n\":2"));

    assertThat(both.get("choices")).hasSize(4);
    for (int i = 0; i < 4; i++) {
      assertThat(both.at("/choices/" + i + "/index").intValue()).isEqualTo(i);
    }
    assertThat(both.at("/choices/2/text")).isEqualTo(one.at("/choices/0/text"));
    assertThat(both.at("/choices/3/text")).isEqualTo(one.at("/choices/0/text"));
    assertThat(both.at("/usage/completion_tokens").intValue()).isEqualTo(20);
  }

  @Test
  void chat_streamOfThree_endsEachIndexOnce() throws Exception {
    List<JsonNode> events =
        events(
            stories
                .post(
                    CHAT,
                    chat(",\"temperature\":1,\"seed\":5,\"n\":3,\"max_tokens\":6,\"stream\":true"))
                .body());

    for (int index = 0; index < 3; index++) {
      int wanted = index;
      List<JsonNode> own =
          events.stream()
              .map(event -> event.at("/choices/0"))
              .filter(choice -> choice.get("index").intValue() == wanted)
              .toList();
      assertThat(own.getFirst().at("/delta/role").stringValue()).isEqualTo("assistant");
      assertThat(own).filteredOn(choice -> choice.at("/delta/role").isString()).hasSize(1);
      assertThat(own).filteredOn(choice -> choice.get("finish_reason").isString()).hasSize(1);
      assertThat(own.getLast().get("finish_reason").isString()).isTrue();
    }
  }

  @Test
  void seed_equal_givesEqualText() throws Exception {
    String hot = ",\"temperature\":1.2,\"max_tokens\":24,\"seed\":";
    String first = text(stories.json(CHAT, chat(hot + "7")));

    assertThat(text(stories.json(CHAT, chat(hot + "7")))).isEqualTo(first);
    assertThat(text(stories.json(CHAT, chat(hot + "8")))).isNotEqualTo(first);
  }

  @Test
  void stop_string_cutsBeforeIt() throws Exception {
    String whole = text(stories.json(CHAT, chat(",\"max_tokens\":40")));
    String word = whole.split(" ", -1)[4];
    JsonNode cut =
        stories.json(CHAT, chat(",\"max_tokens\":40,\"stop\":[\"never there\",\"" + word + "\"]"));

    assertThat(text(cut)).isEqualTo(whole.substring(0, whole.indexOf(word)));
    assertThat(cut.at("/choices/0/finish_reason").stringValue()).isEqualTo("stop");
    assertThat(cut.at("/usage/completion_tokens").intValue()).isLessThan(40);
  }

  @Test
  void logitBias_forcesAndBans() throws Exception {
    int id =
        stories
            .json("/tokenize", "{\"prompt\":\"fox\",\"add_special_tokens\":false}")
            .at("/tokens/0")
            .intValue();
    JsonNode forced =
        stories.json(
            PLAIN, plain("\"A\"", ",\"max_tokens\":3,\"logit_bias\":{\"" + id + "\":100}"));

    String piece =
        stories
            .json("/detokenize", "{\"tokens\":[" + id + "," + id + "," + id + "]}")
            .get("prompt")
            .stringValue();
    assertThat(forced.at("/choices/0/text").stringValue().strip()).isEqualTo(piece.strip());
  }

  @Test
  void messageParts_areLinesOfText() throws Exception {
    JsonNode parts =
        stories.json(
            "/tokenize",
            "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]}");
    JsonNode text =
        stories.json("/tokenize", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}]}");

    assertThat(parts).isEqualTo(text);
    assertThat(parts.get("count").intValue()).isGreaterThan(3);
  }

  @Test
  void sharedPrefix_secondRequest_hitsAndSaysTheSame() throws Exception {
    String prompt = "\"" + "The fox ran over the hill. ".repeat(12) + "\"";
    JsonNode cold = stories.json(PLAIN, plain(prompt, ",\"cache_salt\":\"a\""));
    JsonNode warm = stories.json(PLAIN, plain(prompt, ",\"cache_salt\":\"a\""));
    JsonNode other = stories.json(PLAIN, plain(prompt, ",\"cache_salt\":\"b\""));

    String cached = "/usage/prompt_tokens_details/cached_tokens";
    assertThat(cold.at(cached).intValue()).isZero();
    assertThat(warm.at(cached).intValue())
        .isEqualTo(warm.at("/usage/prompt_tokens").intValue() - 1);
    assertThat(other.at(cached).intValue()).isZero();
    assertThat(warm.at("/choices/0/text")).isEqualTo(cold.at("/choices/0/text"));
    assertThat(other.at("/choices/0/text")).isEqualTo(cold.at("/choices/0/text"));
  }

  @Test
  void abort_midStream_freesEverything() throws Exception {
    for (int i = 0; i < 10; i++) {
      HttpResponse<InputStream> response =
          stories.open(
              PLAIN, plain("\"Once\"", ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":3000"));
      try (InputStream body = response.body()) {
        assertThat(body.readNBytes(200 + 100 * i)).isNotEmpty();
      }
    }
    assertNothingHeld(2_000);
  }

  @Test
  void abort_beforeAWholeAnswer_freesEverything() throws Exception {
    var pending =
        stories.client.sendAsync(
            stories.request(PLAIN, plain("\"Once\"", ",\"ignore_eos\":true,\"max_tokens\":4000")),
            HttpResponse.BodyHandlers.ofString());
    while (stories.engine.stats().running() == 0) {
      Thread.sleep(5);
    }
    pending.cancel(true);
    assertNothingHeld(1_000);
  }

  private static void assertNothingHeld(long millis) throws InterruptedException, IOException {
    long start = System.nanoTime();
    stories.awaitIdle();
    assertThat((System.nanoTime() - start) / 1_000_000).isLessThan(millis);
    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    assertThat(stories.engine.cacheStats().tables()).isZero();
    stories.engine.verify();
  }
}
