package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.engine.Output;
import io.kvasir.server.reply.Speech;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// `POST /v1/completions`, with prompts as text or token ids.
final class CompletionsHandler implements Handler, Generation.Reader {
  private static final int MOST_PROMPTS = 64;

  private final ServedModel model;
  private final Generation generation;

  CompletionsHandler(ServedModel model, Generation generation) {
    this.model = model;
    this.generation = generation;
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws Exception {
    generation.run(request, response, this);
  }

  @Override
  public Job read(Fields fields, String tenant, boolean cache) {
    Generation.checkModel(model, fields.text("model"));
    fields.refuse(Set.of("suffix"));
    boolean echo = fields.flag("echo", false);
    Parameters.Names names = echo ? Parameters.Names.ECHO : Parameters.Names.COMPLETION;
    Parameters parameters =
        Parameters.read(fields, model, names, cache)
            .withScores(fields.integer("logprobs", -1, 0, Output.MOST_SCORES));
    List<CompletionForm.Prompt> prompts = prompts(fields, echo);
    return new Job(
        prompts.stream().map(CompletionForm.Prompt::tokens).toList(),
        parameters,
        Speech.PLAIN,
        new Job.Limits(
            false, echo && parameters.shown().scores() >= 0, generation.format().of(fields)),
        new CompletionForm(
            Envelope.of("cmpl-", model, cache), parameters, prompts, model.tokenizer()));
  }

  private List<CompletionForm.Prompt> prompts(Fields fields, boolean echo) {
    JsonNode prompt = fields.get("prompt");
    if (prompt == null) {
      throw ApiException.field("prompt", "'prompt' is missing");
    }
    if (prompt.isString()) {
      return List.of(encode(prompt, echo));
    }
    if (!prompt.isArray() || prompt.isEmpty()) {
      throw Fields.wrong("prompt", "text, token ids, or a list of either", prompt);
    }
    if (prompt.get(0).isNumber()) {
      return List.of(ids(prompt, echo));
    }
    if (prompt.size() > MOST_PROMPTS) {
      throw ApiException.field(
          "prompt",
          "'prompt' has %d entries; at most %d are allowed".formatted(prompt.size(), MOST_PROMPTS));
    }
    List<CompletionForm.Prompt> result = new ArrayList<>();
    for (JsonNode item : prompt) {
      result.add(item.isString() ? encode(item, echo) : ids(item, echo));
    }
    return result;
  }

  private CompletionForm.Prompt encode(JsonNode node, boolean echo) {
    String text = node.stringValue();
    return new CompletionForm.Prompt(
        model.tokenizer().encodeWithSpecials(text), echo ? text : null);
  }

  private CompletionForm.Prompt ids(JsonNode node, boolean echo) {
    int[] ids = Fields.tokens("prompt", node, model.engine().vocabularySize());
    return new CompletionForm.Prompt(ids, echo ? model.tokenizer().decode(ids, true) : null);
  }
}
