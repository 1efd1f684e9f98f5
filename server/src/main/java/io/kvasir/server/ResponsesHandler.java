package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.model.json.Json;
import io.kvasir.server.shape.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/responses`, in OpenAI's form.
final class ResponsesHandler implements Handler, Generation.Reader {
  private static final Parameters.Names NAMES =
      new Parameters.Names(List.of("max_output_tokens"), Parameters.ROOM, 1, "stop");
  private static final long MOST_CHARACTERS = 32L << 20;
  private static final Set<String> MISSING =
      Set.of("background", "conversation", "prompt", "top_logprobs", "moderation");

  /// Extras that change nothing here.
  private static final Set<String> INCLUDED = Set.of("reasoning.encrypted_content");

  private final ServedModel model;
  private final Dialect dialect;
  private final Generation generation;
  private final ResponseStore store = new ResponseStore(MOST_CHARACTERS);

  ResponsesHandler(ServedModel model, Dialect dialect, Generation generation) {
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
    fields.accept("max_tool_calls");
    checkExtras(fields);
    Parameters parameters = Parameters.read(fields, model, NAMES, cache).single();
    boolean parallel = fields.flag("parallel_tool_calls", true);
    Tools tools =
        ToolFields.choice(
            fields,
            "tool_choice",
            ToolFields.tools(fields, "tools", ToolFields.Form.FLAT),
            parallel);
    List<Json> messages = new ArrayList<>(earlier(fields, tenant));
    messages.addAll(ResponsesInput.messages(fields));
    Fields reasoning = fields.object("reasoning");
    String effort = reasoning == null ? null : reasoning.text("effort");
    Map<String, Json> variables = Messages.variables(fields, dialect, effort);
    ChatPrompt prompt =
        ChatPrompt.of(
            model,
            dialect,
            new ChatPrompt.Conversation(instructed(fields, messages), tools, variables));
    String id = Ids.next("resp_");
    boolean kept = fields.flag("store", true);
    ResponsesForm.Ended ended =
        (reply, response) -> {
          if (kept) {
            messages.addAll(ResponsesInput.messages(reply));
            store.put(id, tenant, messages, response);
          }
        };
    return new Job(
        List.of(prompt.tokens()),
        prompt.pinned(model, parameters),
        prompt.speech(),
        new Job.Limits(!parallel, false, generation.shape(format(fields), tools, prompt.speech())),
        new ResponsesForm(id, System.currentTimeMillis() / 1000, echo(fields, parameters), ended));
  }

  private @Nullable Shape format(Fields fields) {
    Fields text = fields.object("text");
    Fields format = text == null ? null : text.object("format");
    return format == null
        ? generation.format().of(fields)
        : generation.format().response("text.format", format, format);
  }

  /// A response that was given before.
  void get(ServerRequest request, ServerResponse response) {
    String id = request.path().pathParameters().get("id");
    ResponseStore.Entry entry = store.get(id, Generation.tenant(request));
    if (entry == null) {
      throw unknown(id);
    }
    Wire.send(response, entry.response());
  }

  /// Forgets a response.
  void delete(ServerRequest request, ServerResponse response) {
    String id = request.path().pathParameters().get("id");
    if (!store.remove(id, Generation.tenant(request))) {
      throw unknown(id);
    }
    Wire.send(response, Wire.object().put("id", id).put("object", "response").put("deleted", true));
  }

  private static ApiException unknown(String id) {
    return new ApiException(404, "there is no response '%s'".formatted(id), "id", null);
  }

  private static void checkExtras(Fields fields) {
    String truncation = fields.text("truncation");
    if (truncation != null && !truncation.equals("disabled")) {
      throw ApiException.unsupported("truncation");
    }
    for (String extra : fields.texts("include", INCLUDED.size())) {
      if (!INCLUDED.contains(extra)) {
        throw ApiException.unsupported("include");
      }
    }
  }

  private List<Json> earlier(Fields fields, String tenant) {
    String id = fields.text("previous_response_id");
    if (id == null) {
      return List.of();
    }
    ResponseStore.Entry entry = store.get(id, tenant);
    if (entry == null) {
      throw new ApiException(
          404,
          "the previous response is not known any more; send the conversation as 'input'",
          "previous_response_id",
          "previous_response_not_found");
    }
    return entry.messages();
  }

  /// Instructions go before all messages and are not kept for the next response.
  private static List<Json> instructed(Fields fields, List<Json> messages) {
    String instructions = fields.text("instructions");
    if (instructions == null) {
      return messages;
    }
    List<Json> result = new ArrayList<>();
    result.add(
        new Json.Obj(
            Map.of("role", new Json.Str("system"), "content", new Json.Str(instructions))));
    result.addAll(messages);
    return result;
  }

  /// What clients expect to find in a response as they sent it, or as it is where they did not.
  private ObjectNode echo(Fields fields, Parameters parameters) {
    ObjectNode echo = Wire.object();
    put(echo, fields, "instructions", null);
    put(echo, fields, "max_output_tokens", null);
    echo.put("model", model.name());
    put(echo, fields, "parallel_tool_calls", Wire.read("true"));
    put(echo, fields, "previous_response_id", null);
    put(echo, fields, "reasoning", Wire.read("{\"effort\":null,\"summary\":null}"));
    put(echo, fields, "store", Wire.read("true"));
    echo.put("temperature", parameters.sampling().temperature());
    put(echo, fields, "text", Wire.read("{\"format\":{\"type\":\"text\"}}"));
    put(echo, fields, "tool_choice", Wire.read("\"auto\""));
    put(echo, fields, "tools", Wire.read("[]"));
    echo.put("top_p", parameters.sampling().topP());
    echo.put("truncation", "disabled");
    put(echo, fields, "user", null);
    put(echo, fields, "metadata", Wire.object());
    return echo;
  }

  private static void put(ObjectNode echo, Fields fields, String name, @Nullable JsonNode absent) {
    JsonNode sent = fields.get(name);
    echo.set(name, sent == null ? absent : sent);
  }
}
