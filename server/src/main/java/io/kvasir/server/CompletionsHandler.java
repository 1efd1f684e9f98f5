package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// `POST /v1/completions`, with prompts as text or token ids.
final class CompletionsHandler implements Handler {
  private static final int MOST_PROMPTS = 64;
  private static final int ABSENT_MAX_TOKENS = 16;

  private final ServedModel model;
  private final Generation generation;
  private final int maxBodyBytes;

  CompletionsHandler(ServedModel model, Generation generation, int maxBodyBytes) {
    this.model = model;
    this.generation = generation;
    this.maxBodyBytes = maxBodyBytes;
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws Exception {
    generation.run(
        request,
        response,
        false,
        () -> {
          Fields fields = RequestBody.fields(request, response, maxBodyBytes);
          Generation.checkModel(model, fields.text("model"));
          fields.refuse(Set.of("echo", "suffix"));
          if (fields.has("logprobs")) {
            throw ApiException.unsupported("logprobs"); // 0 asks for the chosen tokens' values.
          }
          Parameters parameters = Parameters.read(fields, model, ABSENT_MAX_TOKENS);
          return new Generation.Job(prompts(fields), parameters);
        });
  }

  private List<int[]> prompts(Fields fields) {
    JsonNode prompt = fields.get("prompt");
    if (prompt == null) {
      throw ApiException.field("prompt", "'prompt' is missing");
    }
    if (prompt.isString()) {
      return List.of(encode(prompt));
    }
    if (!prompt.isArray() || prompt.isEmpty()) {
      throw Fields.wrong("prompt", "text, token ids, or a list of either", prompt);
    }
    if (prompt.get(0).isNumber()) {
      return List.of(ids(prompt));
    }
    if (prompt.size() > MOST_PROMPTS) {
      throw ApiException.field(
          "prompt",
          "'prompt' has %d entries; at most %d are allowed".formatted(prompt.size(), MOST_PROMPTS));
    }
    List<int[]> result = new ArrayList<>();
    for (JsonNode item : prompt) {
      result.add(item.isString() ? encode(item) : ids(item));
    }
    return result;
  }

  private int[] encode(JsonNode text) {
    return model.tokenizer().encodeWithSpecials(text.stringValue());
  }

  private int[] ids(JsonNode node) {
    return Fields.tokens("prompt", node, model.engine().vocabularySize());
  }
}
