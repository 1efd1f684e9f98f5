package io.kvasir.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.Response;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// LangChain4j's OpenAI module against the server.
@Timeout(120)
final class LangChainTest {
  private static final JsonObjectSchema PERSON =
      JsonObjectSchema.builder()
          .addStringProperty("name")
          .addIntegerProperty("age")
          .required("name", "age")
          .additionalProperties(false)
          .build();
  private static final ToolSpecification MEET =
      ToolSpecification.builder()
          .name("meet")
          .description("Meets a person.")
          .parameters(PERSON)
          .build();
  private static Served served;

  @BeforeAll
  static void start() throws IOException {
    served = new Served();
  }

  @AfterAll
  static void stop() {
    served.close();
  }

  private static OpenAiChatModel.OpenAiChatModelBuilder model() {
    return OpenAiChatModel.builder()
        .baseUrl(served.url())
        .apiKey("none")
        .modelName(Served.NAME)
        .temperature(0.0)
        .maxTokens(12)
        .maxRetries(0);
  }

  private static OpenAiStreamingChatModel streaming() {
    return OpenAiStreamingChatModel.builder()
        .baseUrl(served.url())
        .apiKey("none")
        .modelName(Served.NAME)
        .temperature(0.0)
        .maxTokens(12)
        .build();
  }

  private static ChatRequest ask(String text) {
    return ChatRequest.builder().messages(UserMessage.from(text)).build();
  }

  /// Collects a stream's text and completes with its end.
  private static final class Collector implements StreamingChatResponseHandler {
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<ChatResponse> end = new CompletableFuture<>();

    @Override
    public void onPartialResponse(String part) {
      text.append(part);
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
      end.complete(response);
    }

    @Override
    public void onError(Throwable error) {
      end.completeExceptionally(error);
    }
  }

  @Test
  void chat_wholeAndStreamed_areEqual() throws Exception {
    ChatResponse whole = model().build().chat(ask("Tell me a story about a fox."));
    Collector collector = new Collector();
    streaming().chat(ask("Tell me a story about a fox."), collector);
    ChatResponse end = collector.end.get(60, TimeUnit.SECONDS);

    assertThat(collector.text.toString()).isEqualTo(whole.aiMessage().text()).isNotBlank();
    assertThat(end.aiMessage().text()).isEqualTo(whole.aiMessage().text());
    assertThat(whole.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(end.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(whole.tokenUsage().outputTokenCount()).isEqualTo(12);
    assertThat(end.tokenUsage().outputTokenCount()).isEqualTo(12);
  }

  @Test
  void tool_required_isCalledAndAnswered() {
    ChatRequest question =
        ChatRequest.builder()
            .messages(UserMessage.from("Who is it?"))
            .toolSpecifications(MEET)
            .toolChoice(ToolChoice.REQUIRED)
            .build();
    ChatResponse answer = model().maxTokens(200).build().chat(question);
    ToolExecutionRequest call = answer.aiMessage().toolExecutionRequests().getFirst();
    ChatResponse next =
        model()
            .build()
            .chat(
                ChatRequest.builder()
                    .messages(
                        UserMessage.from("Who is it?"),
                        answer.aiMessage(),
                        ToolExecutionResultMessage.from(call, "A friend."))
                    .toolSpecifications(MEET)
                    .build());

    assertThat(answer.finishReason()).isEqualTo(FinishReason.TOOL_EXECUTION);
    assertThat(call.name()).isEqualTo("meet");
    assertThat(Served.parse(call.arguments()).get("age").isInt()).isTrue();
    assertThat(next.tokenUsage().inputTokenCount())
        .isGreaterThan(answer.tokenUsage().inputTokenCount());
  }

  @Test
  void tool_streamed_isCalled() throws Exception {
    Collector collector = new Collector();
    OpenAiStreamingChatModel.builder()
        .baseUrl(served.url())
        .apiKey("none")
        .modelName(Served.NAME)
        .temperature(0.0)
        .maxCompletionTokens(200)
        .build()
        .chat(
            ChatRequest.builder()
                .messages(UserMessage.from("Who is it?"))
                .toolSpecifications(MEET)
                .toolChoice(ToolChoice.REQUIRED)
                .build(),
            collector);
    ChatResponse end = collector.end.get(60, TimeUnit.SECONDS);

    assertThat(end.aiMessage().toolExecutionRequests().getFirst().name()).isEqualTo("meet");
    assertThat(
            Served.parse(end.aiMessage().toolExecutionRequests().getFirst().arguments())
                .has("name"))
        .isTrue();
  }

  @Test
  void jsonSchema_isKept() {
    ResponseFormat format =
        ResponseFormat.builder()
            .type(ResponseFormatType.JSON)
            .jsonSchema(JsonSchema.builder().name("person").rootElement(PERSON).build())
            .build();
    ChatResponse answer =
        model()
            .maxTokens(200)
            .strictJsonSchema(true)
            .build()
            .chat(
                ChatRequest.builder()
                    .messages(UserMessage.from("Who is it?"))
                    .responseFormat(format)
                    .build());

    assertThat(Served.parse(answer.aiMessage().text()).propertyNames())
        .containsExactlyInAnyOrder("name", "age");
  }

  @Test
  void embeddings_haveOneUnitVectorEach() {
    Response<List<Embedding>> answer =
        OpenAiEmbeddingModel.builder()
            .baseUrl(served.url())
            .apiKey("none")
            .modelName(Served.NAME)
            .maxRetries(0)
            .build()
            .embedAll(List.of(TextSegment.from("a fox"), TextSegment.from("a hen")));

    assertThat(answer.content()).hasSize(2);
    double squares = 0;
    for (float value : answer.content().getFirst().vector()) {
      squares += (double) value * value;
    }
    assertThat(squares).isBetween(0.999, 1.001);
    assertThat(answer.tokenUsage().inputTokenCount()).isPositive();
  }

  @Test
  void stop_endsBeforeIt() {
    String whole = model().build().chat(ask("A dog?")).aiMessage().text();
    String word = whole.split(" ", -1)[2];
    ChatResponse cut = model().stop(List.of(word)).build().chat(ask("A dog?"));

    assertThat(cut.aiMessage().text()).isEqualTo(whole.substring(0, whole.indexOf(word)));
    assertThat(cut.finishReason()).isEqualTo(FinishReason.STOP);
  }

  @Test
  void errors_becomeTheClientsExceptions() {
    assertThatThrownBy(() -> model().maxTokens(1_000_000).build().chat(ask("x")))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("maximum context length");
    assertThatThrownBy(() -> model().modelName("other").build().chat(ask("x")))
        .isInstanceOf(ModelNotFoundException.class)
        .hasMessageContaining("other");
  }
}
