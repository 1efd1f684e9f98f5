package io.kvasir.server;

import io.kvasir.server.reply.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Messages in Anthropic's form: content blocks, and streams of named events.
///
/// @param marked whether the request marked something to be cached; the tokens that were computed
///   count as written to the cache then, else as plain input
record AnthropicForm(String id, String model, boolean marked) implements AnswerForm {

  @Override
  public ObjectNode whole(List<Whole> answers, Usage usage) {
    Whole answer = answers.getFirst();
    ObjectNode message = message();
    content((ArrayNode) message.get("content"), answer.reply());
    ending(message, answer.ending());
    message.set("usage", usage(usage));
    return message;
  }

  private ObjectNode message() {
    ObjectNode message = Wire.object();
    message.put("id", id);
    message.put("type", "message");
    message.put("role", "assistant");
    message.put("model", model);
    message.putArray("content");
    message.putNull("stop_reason");
    message.putNull("stop_sequence");
    return message;
  }

  private static void content(ArrayNode content, Reply reply) {
    if (!reply.reasoning().isEmpty()) {
      content.add(thinking(reply.reasoning()));
    }
    if (!reply.content().isEmpty() || reply.calls().isEmpty()) {
      content.add(text(reply.content()));
    }
    for (Reply.Call call : reply.calls()) {
      content.add(toolUse(call.id(), call.name(), object(call.arguments().toString())));
    }
  }

  private static ObjectNode text(String text) {
    return Wire.object().put("type", "text").put("text", text);
  }

  private static ObjectNode thinking(String text) {
    return Wire.object().put("type", "thinking").put("thinking", text).put("signature", "");
  }

  private static ObjectNode toolUse(String id, String name, ObjectNode input) {
    ObjectNode node = Wire.object().put("type", "tool_use").put("id", id).put("name", name);
    node.set("input", input);
    return node;
  }

  /// Arguments as an object; an empty one where the answer ended before they were complete.
  private static ObjectNode object(String arguments) {
    try {
      return Wire.read(arguments) instanceof ObjectNode object ? object : Wire.object();
    } catch (JacksonException e) {
      return Wire.object();
    }
  }

  private static void ending(ObjectNode node, Ending ending) {
    String stop = ending.stop();
    node.put(
        "stop_reason",
        switch (ending.reason()) {
          case STOP -> stop == null ? "end_turn" : "stop_sequence";
          case LENGTH -> "max_tokens";
          case TOOLS -> "tool_use";
        });
    if (stop == null) {
      node.putNull("stop_sequence");
    } else {
      node.put("stop_sequence", stop);
    }
  }

  private ObjectNode usage(Usage usage) {
    int computed = usage.prompt() - usage.cached();
    ObjectNode node = Wire.object();
    node.put("input_tokens", marked ? 0 : computed);
    node.put("cache_creation_input_tokens", marked ? computed : 0);
    node.put("cache_read_input_tokens", usage.cached());
    node.put("output_tokens", usage.completion());
    return node;
  }

  /// The body of an error.
  static ObjectNode error(ApiException error) {
    ObjectNode node = Wire.object().put("type", "error");
    String type =
        switch (error.status()) {
          case 401 -> "authentication_error";
          case 403 -> "permission_error";
          case 404 -> "not_found_error";
          case 413 -> "request_too_large";
          case 429 -> "rate_limit_error";
          case 503 -> "overloaded_error";
          case 504 -> "timeout_error";
          default -> error.status() < 500 ? "invalid_request_error" : "api_error";
        };
    node.putObject("error").put("type", type).put("message", error.getMessage());
    return node;
  }

  @Override
  public Events events(int count, Supplier<Usage> usage) {
    return new Blocks(usage);
  }

  private final class Blocks implements Events {
    private final Supplier<Usage> usage;
    private boolean begun;
    private int index = -1;
    private boolean open;
    private String kind = "";

    Blocks(Supplier<Usage> usage) {
      this.usage = usage;
    }

    @Override
    public List<Event> step(int answer, Step step) {
      List<Event> out = new ArrayList<>();
      begin(out);
      for (Part part : step.parts()) {
        switch (part) {
          case Part.Content(String text) -> {
            open("text", text(""), out);
            delta(Wire.object().put("type", "text_delta").put("text", text), out);
          }
          case Part.Reasoning(String text) -> {
            open("thinking", thinking(""), out);
            delta(Wire.object().put("type", "thinking_delta").put("thinking", text), out);
          }
          case Part.CallBegun(int _, String call, String name) -> {
            close(out);
            open("tool_use", toolUse(call, name, Wire.object()), out);
          }
          case Part.CallArguments(int _, String text) ->
              delta(Wire.object().put("type", "input_json_delta").put("partial_json", text), out);
        }
      }
      return out;
    }

    private void begin(List<Event> out) {
      if (begun) {
        return;
      }
      begun = true;
      ObjectNode message = message();
      message.set("usage", usage(usage.get()));
      ObjectNode event = Wire.object().put("type", "message_start");
      event.set("message", message);
      out.add(event(event));
    }

    private void open(String wanted, ObjectNode block, List<Event> out) {
      if (open && kind.equals(wanted)) {
        return;
      }
      close(out);
      index++;
      open = true;
      kind = wanted;
      ObjectNode event = Wire.object().put("type", "content_block_start").put("index", index);
      event.set("content_block", block);
      out.add(event(event));
    }

    private void delta(ObjectNode delta, List<Event> out) {
      ObjectNode event = Wire.object().put("type", "content_block_delta").put("index", index);
      event.set("delta", delta);
      out.add(event(event));
    }

    private void close(List<Event> out) {
      if (open) {
        open = false;
        out.add(event(Wire.object().put("type", "content_block_stop").put("index", index)));
      }
    }

    private static Event event(ObjectNode data) {
      return new Event(data.get("type").stringValue(), data);
    }

    @Override
    public List<Event> end(int answer, Ending ending) {
      List<Event> out = new ArrayList<>();
      begin(out);
      close(out);
      ObjectNode event = Wire.object().put("type", "message_delta");
      ending(event.putObject("delta"), ending);
      event.set("usage", usage(usage.get()));
      out.add(event(event));
      out.add(event(Wire.object().put("type", "message_stop")));
      return out;
    }

    @Override
    public List<Event> close() {
      return List.of();
    }

    @Override
    public List<Event> error(ApiException error) {
      return List.of(event(AnthropicForm.error(error)));
    }

    @Override
    public boolean isMarked() {
      return false;
    }
  }
}
