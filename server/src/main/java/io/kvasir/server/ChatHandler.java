package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.util.List;
import java.util.Set;

/// `POST /v1/chat/completions`.
final class ChatHandler implements Handler {
  private static final Set<String> MISSING =
      Set.of(
          "logprobs",
          "top_logprobs",
          "tools",
          "functions",
          "function_call",
          "continue_final_message",
          "audio",
          "prediction",
          "reasoning_effort",
          "verbosity",
          "web_search_options",
          "documents",
          "chat_template",
          "echo");

  private final ServedModel model;
  private final Generation generation;
  private final int maxBodyBytes;

  ChatHandler(ServedModel model, Generation generation, int maxBodyBytes) {
    this.model = model;
    this.generation = generation;
    this.maxBodyBytes = maxBodyBytes;
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws Exception {
    generation.run(
        request,
        response,
        true,
        () -> {
          Fields fields = RequestBody.fields(request, response, maxBodyBytes);
          Generation.checkModel(model, fields.text("model"));
          fields.refuse(MISSING);
          checkToolChoice(fields);
          Parameters parameters = Parameters.read(fields, model, 0);
          boolean open = fields.flag("add_generation_prompt", true);
          return new Generation.Job(List.of(Messages.prompt(fields, model, open)), parameters);
        });
  }

  /// Without tools, only a choice that asks for none makes sense.
  private static void checkToolChoice(Fields fields) {
    if (fields.has("tool_choice")) {
      String choice = fields.text("tool_choice");
      if (!"none".equals(choice) && !"auto".equals(choice)) {
        throw ApiException.unsupported("tool_choice");
      }
    }
  }
}
