package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.server.shape.Shape;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// `POST /v1/messages` and `POST /v1/messages/count_tokens`, in Anthropic's form.
final class AnthropicHandler implements Handler, Generation.Reader {
  private static final Parameters.Names NAMES =
      new Parameters.Names(List.of("max_tokens"), Parameters.ROOM, 1, "stop_sequences");
  private static final Set<String> MISSING =
      Set.of("mcp_servers", "container", "context_management");

  private final ServedModel model;
  private final Dialect dialect;
  private final Generation generation;

  AnthropicHandler(ServedModel model, Dialect dialect, Generation generation) {
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
    if (!fields.has("max_tokens")) {
      throw ApiException.field("max_tokens", "'max_tokens' is missing");
    }
    Parameters parameters = Parameters.read(fields, model, NAMES, cache).single();
    ChatPrompt.Conversation conversation = AnthropicInput.conversation(fields, dialect);
    ChatPrompt prompt = ChatPrompt.of(model, dialect, conversation);
    boolean marked = fields.body().findValue("cache_control") != null;
    return new Job(
        List.of(prompt.tokens()),
        prompt.pinned(model, parameters),
        prompt.speech(),
        new Job.Limits(
            !conversation.tools().parallel(),
            false,
            generation.shape(format(fields), conversation.tools(), prompt.speech())),
        new AnthropicForm(Ids.next("msg_"), model.name(), marked));
  }

  private @Nullable Shape format(Fields fields) {
    Fields config = fields.object("output_config");
    Fields format = config == null ? null : config.object("format");
    format = format == null ? fields.object("output_format") : format;
    return format == null ? null : generation.format().response("output_config", format, format);
  }

  /// How many tokens a request's prompt has.
  void count(ServerRequest request, ServerResponse response) throws IOException {
    Fields fields = generation.fields(request, response);
    Generation.checkModel(model, fields.text("model"));
    ChatPrompt prompt = ChatPrompt.of(model, dialect, AnthropicInput.conversation(fields, dialect));
    Wire.send(response, Wire.object().put("input_tokens", prompt.tokens().length));
  }
}
