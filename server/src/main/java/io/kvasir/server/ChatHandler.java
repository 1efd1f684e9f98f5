package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.engine.Output;
import java.util.List;
import java.util.Set;

/// `POST /v1/chat/completions`.
final class ChatHandler implements Handler, Generation.Reader {
  private static final Set<String> MISSING =
      Set.of(
          "audio",
          "prediction",
          "verbosity",
          "web_search_options",
          "documents",
          "chat_template",
          "echo");

  private static final int MOST_MODALITIES = 8;

  private final ServedModel model;
  private final Dialect dialect;
  private final Generation generation;

  ChatHandler(ServedModel model, Dialect dialect, Generation generation) {
    this.model = model;
    this.dialect = dialect;
    this.generation = generation;
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws Exception {
    generation.run(request, response, this);
  }

  @Override
  public Job read(Fields fields, String tenant, boolean cache) {
    Generation.checkModel(model, fields.text("model"));
    fields.refuse(MISSING);
    for (String modality : fields.texts("modalities", MOST_MODALITIES)) {
      if (!modality.equals("text")) {
        throw ApiException.field("modalities", "answers are text, not '%s'".formatted(modality));
      }
    }
    Tools tools = ToolFields.chat(fields);
    Parameters parameters =
        Parameters.read(fields, model, Parameters.Names.CHAT, cache).withScores(scores(fields));
    ChatPrompt prompt =
        ChatPrompt.of(model, dialect, Messages.conversation(fields, tools, dialect));
    return new Job(
        List.of(prompt.tokens()),
        prompt.pinned(model, parameters),
        prompt.speech(),
        new Job.Limits(
            !tools.parallel(),
            false,
            generation.shape(generation.format().of(fields), tools, prompt.speech())),
        new ChatForm(
            Envelope.of("chatcmpl-", model, cache),
            parameters,
            prompt.tokens(),
            fields.has("functions"),
            new Logprobs(model.tokenizer())));
  }

  /// How many likeliest tokens are told; -1 for no scores at all.
  private static int scores(Fields fields) {
    boolean wanted = fields.flag("logprobs", false);
    int top = fields.integer("top_logprobs", 0, 0, Output.MOST_SCORES);
    if (top > 0 && !wanted) {
      throw ApiException.field("top_logprobs", "'top_logprobs' needs 'logprobs' to be true");
    }
    return wanted ? top : -1;
  }
}
