package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.EngineConfig;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/// Templates that think, that have tools of their own or no system messages; full queues.
@Timeout(120)
final class DialogueTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String ASK = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
  private static final String THINKING =
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: <think>\n{% endif %}";
  private static final String SYSTEMLESS =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}";

  @Test
  void templateThatOpensThoughts_givesReasoning_andTheFormAfterIt() throws Exception {
    try (Stories stories = Stories.start(THINKING, EngineConfig.DEFAULT)) {
      JsonNode thoughts =
          stories.json(CHAT, ASK + ",\"temperature\":0,\"max_tokens\":8,\"ignore_eos\":true}");
      JsonNode form =
          stories.json(
              CHAT,
              ASK
                  + ",\"temperature\":1,\"seed\":1,\"max_tokens\":60,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"enum\":[1,2]}}}}");
      String stream =
          stories
              .post(
                  CHAT,
                  ASK + ",\"temperature\":0,\"max_tokens\":8,\"ignore_eos\":true,\"stream\":true}")
              .body();

      JsonNode message = thoughts.at("/choices/0/message");
      assertThat(message.get("reasoning_content").stringValue()).isNotBlank();
      assertThat(message.get("content").stringValue()).isEmpty();
      assertThat(thoughts.at("/usage/completion_tokens_details/reasoning_tokens").intValue())
          .isEqualTo(8);
      assertThat(form.at("/choices/0/message/content").stringValue()).isIn("1", "2");
      assertThat(form.at("/choices/0/message/reasoning_content").stringValue()).isNotBlank();
      StringBuilder streamed = new StringBuilder();
      for (String event : stream.split("\n\n", -1)) {
        if (event.startsWith("data: {")) {
          streamed.append(
              Stories.parse(event.substring(6))
                  .at("/choices/0/delta/reasoning_content")
                  .asString(""));
        }
      }
      assertThat(streamed.toString().strip())
          .isEqualTo(message.get("reasoning_content").stringValue().strip());
    }
  }

  @Test
  void templateWithoutSystemMessages_hearsOfToolsFromTheUser() throws Exception {
    try (Stories stories = Stories.start(SYSTEMLESS, EngineConfig.DEFAULT)) {
      JsonNode tokens =
          stories.json(
              "/tokenize",
              ASK
                  + ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"sum\",\"parameters\":{}}}]}");
      String prompt =
          stories
              .json("/detokenize", "{\"tokens\":" + tokens.get("tokens") + "}")
              .get("prompt")
              .stringValue();

      assertThat(prompt).startsWith("user: You can use these tools.").endsWith("Hello\n");
    }
  }

  @Test
  void templateWithTools_showsThem_andReadsItsOwnCalls() throws Exception {
    Path file =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("../shared/reference/chat-templates/Qwen-Qwen2.5-7B-Instruct.jinja");
    Assumptions.assumeTrue(
        Files.exists(file), "[no-reference-data] the public templates are not here");
    try (Stories stories = Stories.start(Files.readString(file), EngineConfig.DEFAULT)) {
      String tools =
          ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"sum\",\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"],\"additionalProperties\":false}}}]";
      String messages =
          "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"sum\",\"arguments\":\"{\\\"a\\\": 1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"42\"}]";
      JsonNode tokens = stories.json("/tokenize", messages + tools + "}");
      String prompt =
          stories
              .json("/detokenize", "{\"tokens\":" + tokens.get("tokens") + "}")
              .get("prompt")
              .stringValue();
      JsonNode called =
          stories.json(
              CHAT,
              messages + tools + ",\"tool_choice\":\"required\",\"max_tokens\":80,\"seed\":1}");

      assertThat(prompt)
          .contains("<tools>\n{\"type\": \"function\"")
          .contains("<tool_call>\n{\"name\": \"sum\", \"arguments\": {\"a\": 1}}\n</tool_call>")
          .contains("<tool_response>\n42\n</tool_response>");
      assertThat(called.at("/choices/0/message/tool_calls/0/function/name").stringValue())
          .isEqualTo("sum");
    }
  }

  @Test
  void fullQueue_is429WithRetryAfter() throws Exception {
    try (Stories stories = Stories.start((String) null, EngineConfig.DEFAULT.withQueueLimit(1))) {
      List<CompletableFuture<HttpResponse<String>>> pending = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        pending.add(
            stories.client.sendAsync(
                stories.request(CHAT, ASK + ",\"n\":4,\"max_tokens\":40,\"ignore_eos\":true}"),
                HttpResponse.BodyHandlers.ofString()));
      }
      int refused = 0;
      for (CompletableFuture<HttpResponse<String>> answer : pending) {
        HttpResponse<String> response = answer.get();
        assertThat(response.statusCode()).isIn(200, 429);
        if (response.statusCode() == 429) {
          refused++;
          assertThat(response.headers().firstValueAsLong("Retry-After").orElse(0)).isPositive();
          assertThat(response.body()).contains("try again later");
        }
      }
      assertThat(refused).isPositive();
      stories.awaitIdle();
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    }
  }
}
