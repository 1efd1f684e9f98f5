package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/// Every route's bytes with the default model, and what the routes have in common.
@Timeout(120)
final class RoutesTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String PLAIN = "/v1/completions";
  private static final String MESSAGES = "/v1/messages";
  private static final String RESPONSES = "/v1/responses";
  private static final String ASK =
      "[{\"role\":\"user\",\"content\":\"Tell me a story about a fox.\"}]";

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
    return "{\"messages\":" + ASK + ",\"temperature\":0,\"max_tokens\":6" + more + "}";
  }

  private static String plain(String more) {
    return "{\"prompt\":\"Once upon a time\",\"temperature\":0,\"max_tokens\":6" + more + "}";
  }

  private static String responses(String more) {
    return "{\"input\":\"Tell me a story about a fox.\",\"temperature\":0,\"max_output_tokens\":6"
        + more
        + "}";
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "chat|/v1/chat/completions|",
        "chat-stream|/v1/chat/completions|,\"stream\":true",
        "chat-usage|/v1/chat/completions|,\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        "chat-stop|/v1/chat/completions|,\"stop\":\" fox\",\"include_stop_str_in_output\":true",
        "chat-ids|/v1/chat/completions|,\"stream\":true,\"return_token_ids\":true",
        "chat-n|/v1/chat/completions|,\"n\":3",
        "chat-logprobs|/v1/chat/completions|,\"logprobs\":true,\"top_logprobs\":2,\"max_tokens\":3",
        "chat-logprobs-stream|/v1/chat/completions|,\"logprobs\":true,\"max_tokens\":3,\"stream\":true",
        "completion-logprobs|/v1/completions|,\"logprobs\":2,\"max_tokens\":3",
        "completion-echo|/v1/completions|,\"logprobs\":1,\"echo\":true,\"max_tokens\":1,\"stream\":true",
        "chat-tools|/v1/chat/completions|,\"max_tokens\":60,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"paint\",\"parameters\":{\"type\":\"object\",\"properties\":{\"colour\":{\"enum\":[\"red\",\"green\"]}},\"required\":[\"colour\"],\"additionalProperties\":false}}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false",
        "chat-tools-stream|/v1/chat/completions|,\"max_tokens\":60,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"paint\",\"parameters\":{\"type\":\"object\",\"properties\":{\"colour\":{\"enum\":[\"red\",\"green\"]}},\"required\":[\"colour\"],\"additionalProperties\":false}}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false,\"stream\":true",
        "completion|/v1/completions|",
        "completion-stream|/v1/completions|,\"stream\":true",
        "completion-usage|/v1/completions|,\"stream\":true,\"stream_options\":{\"continuous_usage_stats\":true}",
        "completion-ids|/v1/completions|,\"return_token_ids\":true",
        "messages|/v1/messages|",
        "messages-stream|/v1/messages|,\"stream\":true",
        "messages-stop|/v1/messages|,\"stop_sequences\":[\" fox\"]",
        "responses|/v1/responses|",
        "responses-stream|/v1/responses|,\"stream\":true"
      })
  void answer_isByteExact(String name, String route, String more) throws Exception {
    String salt = ",\"cache_salt\":\"" + name + "\"" + (more == null ? "" : more);
    String body =
        switch (route) {
          case PLAIN -> plain(salt);
          case RESPONSES -> responses(salt);
          default -> chat(salt);
        };
    HttpResponse<String> response = stories.post(route, body);

    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    Golden.check("route-" + name, response.body());
  }

  private static List<JsonNode> events(String stream) {
    List<JsonNode> events = new ArrayList<>();
    for (String event : stream.split("\n\n", -1)) {
      if (!event.isEmpty()) {
        String[] lines = event.split("\n", -1);
        assertThat(lines).hasSize(2);
        JsonNode data = Stories.parse(lines[1].substring("data: ".length()));
        assertThat(lines[0]).isEqualTo("event: " + data.get("type").stringValue());
        events.add(data);
      }
    }
    return events;
  }

  private static String joined(List<JsonNode> events, String type, String pointer) {
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events) {
      if (event.get("type").stringValue().equals(type)) {
        text.append(event.at(pointer).stringValue());
      }
    }
    return text.toString();
  }

  @Test
  void allRoutes_sayTheSame_andCountTheSame() throws Exception {
    String salt = ",\"cache_salt\":\"same\"";
    String cached = "/usage/prompt_tokens_details/cached_tokens";
    stories.json(CHAT, chat(salt));
    JsonNode chat = stories.json(CHAT, chat(salt));
    JsonNode message = stories.json(MESSAGES, chat(salt));
    JsonNode response = stories.json(RESPONSES, responses(salt));
    List<JsonNode> messageEvents =
        events(stories.post(MESSAGES, chat(salt + ",\"stream\":true")).body());
    List<JsonNode> responseEvents =
        events(stories.post(RESPONSES, responses(salt + ",\"stream\":true")).body());
    String text = chat.at("/choices/0/message/content").stringValue();

    assertThat(message.at("/content/0/text").stringValue()).isEqualTo(text);
    assertThat(response.at("/output/0/content/0/text").stringValue()).isEqualTo(text);
    assertThat(joined(messageEvents, "content_block_delta", "/delta/text")).isEqualTo(text);
    assertThat(joined(responseEvents, "response.output_text.delta", "/delta")).isEqualTo(text);
    int hit = chat.at(cached).intValue();
    int computed = chat.at("/usage/prompt_tokens").intValue() - hit;
    assertThat(hit).isPositive();
    assertThat(message.at("/usage/cache_read_input_tokens").intValue()).isEqualTo(hit);
    assertThat(message.at("/usage/input_tokens").intValue()).isEqualTo(computed);
    assertThat(response.at("/usage/input_tokens_details/cached_tokens").intValue()).isEqualTo(hit);
    assertThat(
            messageEvents
                .get(messageEvents.size() - 2)
                .at("/usage/cache_read_input_tokens")
                .intValue())
        .isEqualTo(hit);
    assertThat(
            responseEvents
                .getLast()
                .at("/response/usage/input_tokens_details/cached_tokens")
                .intValue())
        .isEqualTo(hit);
    for (int i = 0; i < responseEvents.size(); i++) {
      assertThat(responseEvents.get(i).get("sequence_number").intValue()).isEqualTo(i);
    }
  }

  @Test
  void countTokens_isWhatTheMessageUses() throws Exception {
    JsonNode count = stories.json(MESSAGES + "/count_tokens", chat(""));
    JsonNode message = stories.json(MESSAGES, chat(",\"cache_salt\":\"count\""));

    assertThat(count.get("input_tokens")).isEqualTo(message.at("/usage/input_tokens"));
  }

  @Test
  void cacheControl_countsAsWritten() throws Exception {
    String body =
        "{\"max_tokens\":2,\"cache_salt\":\"written\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"A long story\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]}";
    JsonNode usage = stories.json(MESSAGES, body).get("usage");

    assertThat(usage.get("input_tokens").intValue()).isZero();
    assertThat(usage.get("cache_creation_input_tokens").intValue()).isGreaterThan(3);
  }

  @Test
  void anthropicErrors_haveTheirForm() throws Exception {
    HttpResponse<String> response = stories.post(MESSAGES, "{\"messages\":[]}");
    JsonNode error = Stories.parse(response.body());

    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(error.get("type").stringValue()).isEqualTo("error");
    assertThat(error.at("/error/type").stringValue()).isEqualTo("invalid_request_error");
    assertThat(error.at("/error/message").stringValue()).contains("max_tokens");
  }

  @Test
  void previousResponse_goesOn() throws Exception {
    JsonNode first = stories.json(RESPONSES, responses(""));
    String id = first.get("id").stringValue();
    JsonNode second =
        stories.json(
            RESPONSES,
            "{\"input\":\"Go on.\",\"temperature\":0,\"max_output_tokens\":6,\"previous_response_id\":\""
                + id
                + "\"}");
    String text = first.at("/output/0/content/0/text").stringValue();
    JsonNode whole =
        stories.json(
            CHAT,
            "{\"temperature\":0,\"max_tokens\":6,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story about a fox.\"},{\"role\":\"assistant\",\"content\":%s},{\"role\":\"user\",\"content\":\"Go on.\"}]}"
                .formatted(
                    tools.jackson.databind.json.JsonMapper.shared().writeValueAsString(text)));

    assertThat(second.at("/output/0/content/0/text").stringValue())
        .isEqualTo(whole.at("/choices/0/message/content").stringValue());
    assertThat(second.at("/usage/input_tokens")).isEqualTo(whole.at("/usage/prompt_tokens"));
    assertThat(
            stories
                .post(RESPONSES, responses(",\"previous_response_id\":\"resp_unknown\""))
                .statusCode())
        .isEqualTo(404);
  }

  @Test
  void storedResponse_isGivenAgain_untilDeleted() throws Exception {
    JsonNode first = stories.json(RESPONSES, responses(""));
    JsonNode unstored = stories.json(RESPONSES, responses(",\"store\":false"));
    String route = RESPONSES + "/" + first.get("id").stringValue();
    HttpRequest delete = HttpRequest.newBuilder(stories.uri(route)).DELETE().build();

    assertThat(Stories.parse(stories.get(route).body())).isEqualTo(first);
    assertThat(stories.client.send(delete, HttpResponse.BodyHandlers.ofString()).statusCode())
        .isEqualTo(200);
    assertThat(stories.get(route).statusCode()).isEqualTo(404);
    assertThat(stories.get(RESPONSES + "/" + unstored.get("id").stringValue()).statusCode())
        .isEqualTo(404);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '!',
      value = {
        "/v1/messages!{\"max_tokens\":3}!messages",
        "/v1/messages!{\"max_tokens\":3,\"messages\":[{\"role\":\"system\",\"content\":\"a\"}]}!role",
        "/v1/messages!{\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}!image",
        "/v1/messages!{\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\"}]}]}!tool_use_id",
        "/v1/messages!{\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":7}]}!content",
        "/v1/messages!{\"max_tokens\":3,\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}!one answer",
        "/v1/messages!{\"max_tokens\":3,\"mcp_servers\":[{}],\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}!mcp_servers",
        "/v1/messages!{\"max_tokens\":3,\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}],\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}!web_search",
        "/v1/messages/count_tokens!{}!messages",
        "/v1/chat/completions!{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"modalities\":[\"audio\"]}!audio",
        "/v1/responses!{}!input",
        "/v1/responses!{\"input\":[]}!input",
        "/v1/responses!{\"input\":[7]}!input",
        "/v1/responses!{\"input\":[{\"type\":\"computer_call\"}]}!computer_call",
        "/v1/responses!{\"input\":[{\"role\":\"king\",\"content\":\"a\"}]}!role",
        "/v1/responses!{\"input\":[{\"type\":\"function_call\",\"call_id\":\"a\"}]}!name",
        "/v1/responses!{\"input\":\"a\",\"background\":true}!background",
        "/v1/responses!{\"input\":\"a\",\"truncation\":\"auto\"}!truncation",
        "/v1/responses!{\"input\":\"a\",\"include\":[\"file_search_call.results\"]}!include",
        "/v1/responses!{\"input\":\"a\",\"tools\":[{\"type\":\"file_search\"}]}!file_search",
        "/v1/responses!{\"input\":\"a\",\"max_output_tokens\":0}!max_output_tokens"
      })
  void wrongRequest_is400AndNamed(String route, String body, String word) throws Exception {
    HttpResponse<String> response = stories.post(route, body);

    assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
    assertThat(Stories.parse(response.body()).at("/error/message").stringValue()).contains(word);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '!',
      value = {
        "/v1/chat/completions!{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"not\":@}}}}",
        "/v1/chat/completions!{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"not\":@}}}],\"tool_choice\":\"required\"}",
        "/v1/chat/completions!{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"chat_template_kwargs\":{\"x\":@}}",
        "/v1/responses!{\"input\":\"a\",\"metadata\":@,\"reasoning\":7}",
        "/v1/messages!{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":@}}]}]}"
      })
  void deepJson_isNoServerError(String route, String body) throws Exception {
    for (int depth : new int[] {100, 450, 100_000}) {
      String deep = "[".repeat(depth) + "]".repeat(depth);

      assertThat(stories.post(route, body.replace("@", deep)).statusCode()).isBetween(200, 499);
    }
    assertThat(stories.get("/health").statusCode()).isEqualTo(200);
  }

  @Test
  void continueFinalMessage_goesOnInTheMessage() throws Exception {
    JsonNode whole = stories.json(CHAT, chat(""));
    String text = whole.at("/choices/0/message/content").stringValue();
    String begun = text.substring(0, text.indexOf(' '));
    String messages =
        "{\"temperature\":0,\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story about a fox.\"},{\"role\":\"assistant\",\"content\":\""
            + begun
            + "\"}]%s}";
    JsonNode rest = stories.json(CHAT, messages.formatted(",\"continue_final_message\":true"));
    JsonNode message = stories.json(MESSAGES, messages.formatted(""));

    assertThat(text).startsWith(begun + rest.at("/choices/0/message/content").stringValue());
    assertThat(message.at("/content/0/text")).isEqualTo(rest.at("/choices/0/message/content"));
  }

  @Test
  void requestId_isEchoed_andMadeWhereAbsent() throws Exception {
    HttpRequest named =
        HttpRequest.newBuilder(stories.uri(PLAIN))
            .header("X-Request-Id", "abc-1")
            .header("X-Kvasir-Cache-Info", "1")
            .POST(HttpRequest.BodyPublishers.ofString(plain(",\"cache_salt\":\"id\"")))
            .build();
    HttpResponse<String> response =
        stories.client.send(named, HttpResponse.BodyHandlers.ofString());
    HttpResponse<String> failed = stories.post(PLAIN, "{}");

    assertThat(response.headers().allValues("X-Request-Id")).containsExactly("abc-1");
    assertThat(failed.headers().firstValue("X-Request-Id").orElse("")).startsWith("req_");
    JsonNode info = Stories.parse(response.body()).get("kvasir");
    assertThat(info.at("/hit/hbm").intValue()).isZero();
    assertThat(info.get("computed").intValue()).isPositive();
    assertThat(stories.json(PLAIN, plain("")).has("kvasir")).isFalse();
  }

  @Test
  void unknownFields_areCounted() throws Exception {
    String pattern = "(?s).*kvasir_unknown_fields_total\\{[^}]*} (\\d+)\n.*";
    int before = Integer.parseInt(stories.get("/metrics").body().replaceFirst(pattern, "$1"));
    stories.post(PLAIN, plain(",\"brand_new\":1,\"other\":null,\"user\":\"x\",\"priority\":3"));
    int after = Integer.parseInt(stories.get("/metrics").body().replaceFirst(pattern, "$1"));

    assertThat(after - before).isEqualTo(2);
  }

  @Test
  void benchmarkResets_answer200() throws Exception {
    assertThat(stories.post("/reset_mm_cache", "").statusCode()).isEqualTo(200);
    assertThat(stories.post("/reset_encoder_cache", "").statusCode()).isEqualTo(200);
    assertThat(stories.post("/flush_cache", "").statusCode()).isEqualTo(200);
    assertThat(stories.get("/flush_cache").statusCode()).isEqualTo(200);
  }

  @Test
  void toolsAndResults_reachThePrompt() throws Exception {
    String messages =
        """
        {"messages":[{"role":"user","content":"How much?"},
          {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"sum","arguments":"{\\"a\\":1}"}}]},
          {"role":"tool","tool_call_id":"c1","content":"42"}],
         "tools":[{"type":"function","function":{"name":"sum","description":"adds","parameters":{"type":"object"}}}]}\
        """;
    JsonNode tokens = stories.json("/tokenize", messages);
    String prompt =
        stories
            .json("/detokenize", "{\"tokens\":" + tokens.get("tokens") + "}")
            .get("prompt")
            .stringValue();

    assertThat(prompt)
        .contains("\"description\":\"adds\"")
        .contains("<tool_call>\n{\"name\":\"sum\",\"arguments\":{\"a\":1}}\n</tool_call>")
        .contains("<tool_response>\n42\n</tool_response>");
  }
}
