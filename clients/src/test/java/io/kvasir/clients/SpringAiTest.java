package io.kvasir.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.embedding.EmbeddingResponse;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;
import org.springframework.ai.openai.OpenAiEmbeddingModel;
import org.springframework.ai.openai.OpenAiEmbeddingOptions;
import org.springframework.ai.tool.function.FunctionToolCallback;

/// Spring AI's OpenAI module against the server.
@Timeout(120)
final class SpringAiTest {
  private static final String PERSON =
      """
      {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8},
       "age": {"type": "integer", "minimum": 0, "maximum": 99}},
       "required": ["name", "age"], "additionalProperties": false}\
      """;
  private static Served served;
  private static OpenAiChatModel model;

  @BeforeAll
  static void start() throws IOException {
    served = new Served();
    model = OpenAiChatModel.builder().options(options().build()).build();
  }

  @AfterAll
  static void stop() {
    served.close();
  }

  private static OpenAiChatOptions.Builder options() {
    return OpenAiChatOptions.builder()
        .baseUrl(served.url())
        .apiKey("none")
        .model(Served.NAME)
        .temperature(0.0)
        .maxTokens(12)
        .maxRetries(0);
  }

  private static ChatResponse call(OpenAiChatOptions options, String text) {
    return model.call(new Prompt(text, options));
  }

  private static String text(ChatResponse response) {
    return String.valueOf(message(response).getText());
  }

  private static AssistantMessage message(ChatResponse response) {
    return response.getResults().getFirst().getOutput();
  }

  @Test
  void chat_wholeAndStreamed_areEqual() {
    OpenAiChatOptions options = options().streamUsage(true).build();
    ChatResponse whole = call(options, "Tell me a story about a fox.");
    List<ChatResponse> parts =
        model.stream(new Prompt("Tell me a story about a fox.", options))
            .collectList()
            .block(Duration.ofSeconds(60));
    StringBuilder streamed = new StringBuilder();
    for (ChatResponse part : parts) {
      for (var result : part.getResults()) {
        if (result.getOutput().getText() != null) {
          streamed.append(result.getOutput().getText());
        }
      }
    }

    assertThat(streamed.toString()).isEqualTo(text(whole)).isNotBlank();
    assertThat(whole.getMetadata().getUsage().getCompletionTokens()).isEqualTo(12);
    assertThat(parts.getLast().getMetadata().getUsage().getCompletionTokens()).isEqualTo(12);
    assertThat(whole.getResults().getFirst().getMetadata().getFinishReason())
        .isEqualToIgnoringCase("length");
  }

  @Test
  void tool_required_isCalled() {
    FunctionToolCallback<String, String> meet =
        FunctionToolCallback.builder("meet", (String person) -> "A friend.")
            .description("Meets a person.")
            .inputSchema(PERSON)
            .inputType(String.class)
            .build();
    ChatResponse answer =
        call(
            options().maxTokens(200).toolCallbacks(List.of(meet)).toolChoice("required").build(),
            "Who is it?");
    AssistantMessage.ToolCall call = message(answer).getToolCalls().getFirst();

    assertThat(call.name()).isEqualTo("meet");
    assertThat(Served.parse(call.arguments()).get("age").isInt()).isTrue();
  }

  @Test
  void jsonSchema_isKept() {
    OpenAiChatOptions options = options().maxTokens(200).outputSchema(PERSON).build();

    assertThat(Served.parse(text(call(options, "Who is it?"))).propertyNames())
        .containsExactlyInAnyOrder("name", "age");
  }

  @Test
  void embeddings_haveOneUnitVectorEach() {
    EmbeddingResponse answer =
        OpenAiEmbeddingModel.builder()
            .options(
                OpenAiEmbeddingOptions.builder()
                    .baseUrl(served.url())
                    .apiKey("none")
                    .model(Served.NAME)
                    .build())
            .build()
            .embedForResponse(List.of("a fox", "a hen"));

    assertThat(answer.getResults()).hasSize(2);
    double squares = 0;
    for (float value : answer.getResults().getFirst().getOutput()) {
      squares += (double) value * value;
    }
    assertThat(squares).isBetween(0.999, 1.001);
  }

  @Test
  void stop_endsBeforeIt() {
    String whole = text(call(options().build(), "A dog?"));
    String word = whole.split(" ", -1)[2];
    ChatResponse cut = call(options().stop(List.of(word)).build(), "A dog?");

    assertThat(text(cut)).isEqualTo(whole.substring(0, whole.indexOf(word)));
    assertThat(cut.getResults().getFirst().getMetadata().getFinishReason())
        .isEqualToIgnoringCase("stop");
  }

  @Test
  void errors_becomeTheClientsExceptions() {
    assertThatThrownBy(() -> call(options().maxTokens(1_000_000).build(), "x"))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("maximum context length");
    assertThatThrownBy(() -> call(options().model("other").build(), "x"))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("other");
  }
}
