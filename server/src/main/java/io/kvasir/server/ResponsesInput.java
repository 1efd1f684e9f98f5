package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads the input of OpenAI's Responses: a text, or items.
final class ResponsesInput {
  private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant");
  private static final Set<String> TEXTS = Set.of("input_text", "output_text", "text");

  private final List<Map<String, Json>> messages = new ArrayList<>();
  private final Map<String, String> called = new HashMap<>();
  private String reasoning = "";

  /// Those of the last message that calls.
  private List<Json> calls = new ArrayList<>();

  private ResponsesInput() {}

  /// The messages of the field `input`.
  static List<Json> messages(Fields fields) {
    JsonNode input = fields.get("input");
    if (input == null) {
      throw ApiException.field("input", "'input' is missing");
    }
    ResponsesInput reader = new ResponsesInput();
    if (input.isString()) {
      reader.add("user", input.stringValue());
    } else if (!input.isArray() || input.isEmpty()) {
      throw Fields.wrong("input", "a text or a list of items", input);
    }
    for (JsonNode item : input) {
      if (!(item instanceof ObjectNode object)) {
        throw Fields.wrong("input", "a text or a list of items", item);
      }
      reader.item(new Fields(object));
    }
    List<Json> result = new ArrayList<>();
    reader.messages.forEach(message -> result.add(new Json.Obj(message)));
    return result;
  }

  /// What an answer adds to its conversation.
  static List<Json> messages(Reply reply) {
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str("assistant"));
    message.put("content", new Json.Str(reply.content()));
    if (!reply.reasoning().isEmpty()) {
      message.put("reasoning_content", new Json.Str(reply.reasoning()));
    }
    if (!reply.calls().isEmpty()) {
      List<Json> calls = new ArrayList<>();
      for (Reply.Call call : reply.calls()) {
        calls.add(ToolFields.call(call.id(), call.name(), call.arguments().toString()));
      }
      message.put("tool_calls", new Json.Arr(calls));
    }
    return List.of(new Json.Obj(message));
  }

  private void item(Fields item) {
    String type = item.text("type");
    switch (type == null ? "message" : type) {
      case "message" -> message(item);
      case "function_call" -> call(item);
      case "function_call_output" -> output(item);
      case "reasoning" -> {
        JsonNode content = item.get("content");
        reasoning =
            content == null ? "" : Messages.text("input", content, Set.of("reasoning_text"));
      }
      default ->
          throw ApiException.field("input", "items of type '%s' are not supported".formatted(type));
    }
  }

  private void message(Fields item) {
    String role = item.text("role");
    JsonNode content = item.get("content");
    if (role == null || !ROLES.contains(role)) {
      throw ApiException.field(
          "input", "a message's role must be one of system, developer, user or assistant");
    }
    if (content == null) {
      throw ApiException.field("input", "a message's content is missing");
    }
    add(role.equals("developer") ? "system" : role, Messages.text("input", content, TEXTS));
  }

  private Map<String, Json> add(String role, String content) {
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str(role));
    message.put("content", new Json.Str(content));
    if (role.equals("assistant") && !reasoning.isEmpty()) {
      message.put("reasoning_content", new Json.Str(reasoning));
    }
    reasoning = "";
    messages.add(message);
    return message;
  }

  private void call(Fields item) {
    String id = required(item, "call_id");
    String name = required(item, "name");
    called.put(id, name);
    boolean after =
        !messages.isEmpty()
            && messages.getLast().get("role") instanceof Json.Str(String role)
            && role.equals("assistant");
    Map<String, Json> message = after ? messages.getLast() : add("assistant", "");
    if (!message.containsKey("tool_calls")) {
      calls = new ArrayList<>();
      message.put("tool_calls", new Json.Arr(calls));
    }
    calls.add(ToolFields.call(id, name, required(item, "arguments")));
  }

  private void output(Fields item) {
    String id = required(item, "call_id");
    JsonNode output = item.get("output");
    if (output == null) {
      throw ApiException.field("input", "a function_call_output needs 'output'");
    }
    Map<String, Json> message = add("tool", Messages.text("input", output, TEXTS));
    message.put("tool_call_id", new Json.Str(id));
    String name = called.get(id);
    if (name != null) {
      message.put("name", new Json.Str(name));
    }
  }

  private static String required(Fields item, String name) {
    String text = item.text(name);
    if (text == null) {
      throw ApiException.field(
          "input", "an item of type '%s' needs '%s'".formatted(item.text("type"), name));
    }
    return text;
  }
}
