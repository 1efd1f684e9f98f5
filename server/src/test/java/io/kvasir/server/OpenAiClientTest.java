package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.ResponseFormatJsonSchema;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseStreamEvent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// OpenAI's own Java client against the server, or against what the system property
/// `kvasir.clients.url` names, for example `scripts/clients/record.mjs`.
@Timeout(120)
final class OpenAiClientTest {
  private static Stories stories;
  private static OpenAIClient client;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
    client =
        OpenAIOkHttpClient.builder()
            .baseUrl(System.getProperty("kvasir.clients.url", stories.uri("").toString()) + "/v1")
            .apiKey("none")
            .maxRetries(0)
            .build();
  }

  @AfterAll
  static void stop() {
    client.close();
    stories.close();
  }

  static ChatCompletionCreateParams.Builder ask(String text) {
    return ChatCompletionCreateParams.builder()
        .model(Stories.NAME)
        .addUserMessage(text)
        .temperature(0)
        .maxCompletionTokens(12);
  }

  private static String content(ChatCompletion answer) {
    return answer.choices().getFirst().message().content().orElseThrow();
  }

  @Test
  void chat_wholeAndStreamed_areEqual() {
    ChatCompletion whole =
        client.chat().completions().create(ask("Tell me a story about a fox.").build());
    StringBuilder text = new StringBuilder();
    List<ChatCompletionChunk> chunks = new ArrayList<>();
    try (StreamResponse<ChatCompletionChunk> stream =
        client
            .chat()
            .completions()
            .createStreaming(
                ask("Tell me a story about a fox.")
                    .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build())
                    .build())) {
      stream.stream().forEach(chunks::add);
    }
    for (ChatCompletionChunk chunk : chunks) {
      chunk.choices().forEach(choice -> text.append(choice.delta().content().orElse("")));
    }

    assertThat(text.toString()).isEqualTo(content(whole)).isNotBlank();
    assertThat(whole.choices().getFirst().finishReason())
        .isEqualTo(ChatCompletion.Choice.FinishReason.LENGTH);
    assertThat(chunks.getLast().usage().orElseThrow().completionTokens()).isEqualTo(12);
    assertThat(whole.usage().orElseThrow().promptTokensDetails().orElseThrow().cachedTokens())
        .isPresent();
  }

  @Test
  void threeAnswers_haveTheirOwnSeeds() {
    ChatCompletion answer =
        client.chat().completions().create(ask("A cat?").n(3).temperature(1).build());

    assertThat(answer.choices()).hasSize(3);
    assertThat(answer.choices())
        .extracting(ChatCompletion.Choice::index)
        .containsExactly(0L, 1L, 2L);
    assertThat(answer.choices())
        .extracting(choice -> choice.message().content().orElseThrow())
        .doesNotHaveDuplicates();
  }

  @Test
  void stop_endsBeforeIt() {
    String whole = content(client.chat().completions().create(ask("A dog?").build()));
    String word = whole.split(" ", -1)[2];
    ChatCompletion cut = client.chat().completions().create(ask("A dog?").stop(word).build());

    assertThat(content(cut)).isEqualTo(whole.substring(0, whole.indexOf(word)));
    assertThat(cut.choices().getFirst().finishReason())
        .isEqualTo(ChatCompletion.Choice.FinishReason.STOP);
  }

  @Test
  void logprobs_comeWithEachToken() {
    ChatCompletion answer =
        client
            .chat()
            .completions()
            .create(ask("Tell me a story about a bird.").logprobs(true).topLogprobs(2).build());
    var scores = answer.choices().getFirst().logprobs().orElseThrow().content().orElseThrow();

    assertThat(scores).hasSize(12);
    assertThat(scores.getFirst().topLogprobs()).hasSize(2);
    assertThat(scores.getFirst().topLogprobs().getFirst().token())
        .isEqualTo(scores.getFirst().token());
    assertThat(scores.getFirst().bytes()).isPresent();
  }

  @Test
  void stream_closedEarly_stopsTheAnswer() throws Exception {
    try (StreamResponse<ChatCompletionChunk> stream =
        client
            .chat()
            .completions()
            .createStreaming(
                ask("Go on.")
                    .maxCompletionTokens(3_000)
                    .putAdditionalBodyProperty("ignore_eos", JsonValue.from(true))
                    .build())) {
      assertThat(stream.stream().limit(5).count()).isEqualTo(5);
    }
    stories.awaitIdle();

    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
  }

  @Test
  void embeddings_haveOneVectorEach() {
    CreateEmbeddingResponse answer =
        client
            .embeddings()
            .create(
                EmbeddingCreateParams.builder()
                    .model(Stories.NAME)
                    .inputOfArrayOfStrings(List.of("a fox", "a hen"))
                    .build());

    assertThat(answer.data()).hasSize(2);
    assertThat(answer.data().get(0).embedding()).hasSameSizeAs(answer.data().get(1).embedding());
    assertThat(answer.usage().promptTokens()).isPositive();
  }

  @Test
  void responses_wholeAndStreamed_areEqual() {
    ResponseCreateParams params =
        ResponseCreateParams.builder()
            .model(Stories.NAME)
            .instructions("You tell stories.")
            .input("A fox?")
            .temperature(0.0)
            .maxOutputTokens(8)
            .build();
    Response whole = client.responses().create(params);
    StringBuilder text = new StringBuilder();
    List<ResponseStreamEvent> events = new ArrayList<>();
    try (StreamResponse<ResponseStreamEvent> stream = client.responses().createStreaming(params)) {
      stream.stream().forEach(events::add);
    }
    for (ResponseStreamEvent event : events) {
      event.outputTextDelta().ifPresent(delta -> text.append(delta.delta()));
    }
    String content =
        whole.output().getFirst().asMessage().content().getFirst().asOutputText().text();

    assertThat(text.toString()).isEqualTo(content).isNotBlank();
    assertThat(events.getLast().incomplete().orElseThrow().response().usage()).isPresent();
    assertThat(whole.usage().orElseThrow().outputTokens()).isEqualTo(8);
  }

  private static final Map<String, Object> PERSON =
      Map.of(
          "type",
          "object",
          "properties",
          Map.of(
              "name",
              Map.of("type", "string", "maxLength", 8),
              "age",
              Map.of("type", "integer", "minimum", 0, "maximum", 99)),
          "required",
          List.of("name", "age"),
          "additionalProperties",
          false);

  @Test
  void tools_required_callOne() {
    FunctionParameters.Builder parameters = FunctionParameters.builder();
    PERSON.forEach((key, value) -> parameters.putAdditionalProperty(key, JsonValue.from(value)));
    ChatCompletion answer =
        client
            .chat()
            .completions()
            .create(
                ask("Who is it?")
                    .temperature(1.2)
                    .maxCompletionTokens(80)
                    .addFunctionTool(
                        FunctionDefinition.builder()
                            .name("meet")
                            .strict(true)
                            .parameters(parameters.build())
                            .build())
                    .toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED)
                    .parallelToolCalls(false)
                    .build());
    var call = answer.choices().getFirst().message().toolCalls().orElseThrow().getFirst();

    assertThat(answer.choices().getFirst().finishReason())
        .isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
    assertThat(call.asFunction().function().name()).isEqualTo("meet");
    assertThat(Stories.parse(call.asFunction().function().arguments()).get("age").isInt()).isTrue();
  }

  @Test
  void jsonSchema_isKept() {
    ResponseFormatJsonSchema.JsonSchema.Schema.Builder schema =
        ResponseFormatJsonSchema.JsonSchema.Schema.builder();
    PERSON.forEach((key, value) -> schema.putAdditionalProperty(key, JsonValue.from(value)));
    ChatCompletion answer =
        client
            .chat()
            .completions()
            .create(
                ask("Who is it?")
                    .temperature(1.5)
                    .maxCompletionTokens(80)
                    .responseFormat(
                        ResponseFormatJsonSchema.builder()
                            .jsonSchema(
                                ResponseFormatJsonSchema.JsonSchema.builder()
                                    .name("person")
                                    .strict(true)
                                    .schema(schema.build())
                                    .build())
                            .build())
                    .build());

    assertThat(Stories.parse(content(answer)).propertyNames())
        .containsExactlyInAnyOrder("name", "age");
  }

  @Test
  void jsonSchema_streamed_isKept() {
    ResponseFormatJsonSchema.JsonSchema.Schema.Builder schema =
        ResponseFormatJsonSchema.JsonSchema.Schema.builder();
    PERSON.forEach((key, value) -> schema.putAdditionalProperty(key, JsonValue.from(value)));
    ChatCompletionAccumulator answer = ChatCompletionAccumulator.create();
    try (StreamResponse<ChatCompletionChunk> stream =
        client
            .chat()
            .completions()
            .createStreaming(
                ask("Who is it?")
                    .temperature(1.5)
                    .maxCompletionTokens(80)
                    .responseFormat(
                        ResponseFormatJsonSchema.builder()
                            .jsonSchema(
                                ResponseFormatJsonSchema.JsonSchema.builder()
                                    .name("person")
                                    .strict(true)
                                    .schema(schema.build())
                                    .build())
                            .build())
                    .build())) {
      stream.stream().forEach(answer::accumulate);
    }

    assertThat(Stories.parse(content(answer.chatCompletion())).get("age").isInt()).isTrue();
  }

  @Test
  void completion_ofTokenIds_isThatOfTheirText() {
    List<Long> ids = new ArrayList<>();
    for (int id : stories.tokenizer.encode("Once upon a time")) {
      ids.add((long) id);
    }
    CompletionCreateParams.Builder params =
        CompletionCreateParams.builder().model(Stories.NAME).maxTokens(8).temperature(0);
    Completion ofText = client.completions().create(params.prompt("Once upon a time").build());
    Completion ofIds = client.completions().create(params.promptOfArrayOfTokens(ids).build());
    Completion ofLists =
        client
            .completions()
            .create(params.promptOfArrayOfTokenArrays(List.of(ids, ids.subList(0, 3))).build());

    assertThat(ofIds.choices().getFirst().text())
        .isEqualTo(ofText.choices().getFirst().text())
        .isNotBlank();
    assertThat(ofIds.usage().orElseThrow().promptTokens()).isEqualTo(ids.size());
    assertThat(ofLists.choices()).hasSize(2);
    assertThat(ofLists.choices().getFirst().text()).isEqualTo(ofText.choices().getFirst().text());
  }

  @Test
  void models_haveTheServedOne() {
    assertThat(client.models().list().data().getFirst().id()).isEqualTo(Stories.NAME);
  }

  @Test
  void errors_becomeTheClientsExceptions() {
    assertThatThrownBy(() ->
            client.chat().completions().create(ask("x").maxCompletionTokens(1_000_000).build()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("maximum context length");
    assertThatThrownBy(() -> client.chat().completions().create(ask("x").model("other").build()))
        .isInstanceOf(NotFoundException.class);
  }
}
