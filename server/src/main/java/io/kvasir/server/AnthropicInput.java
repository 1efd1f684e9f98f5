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

/// Reads conversations in Anthropic's form.
final class AnthropicInput {
  private final List<Json> messages = new ArrayList<>();
  private final Map<String, String> called = new HashMap<>();

  private AnthropicInput() {}

  /// The conversation of a request. A last message of the assistant is continued.
  static ChatPrompt.Conversation conversation(Fields fields, Dialect dialect) {
    AnthropicInput input = new AnthropicInput();
    JsonNode system = fields.get("system");
    if (system != null) {
      input.add("system", Messages.text("system", system, Set.of("text")));
    }
    JsonNode list = fields.get("messages");
    if (list == null || !list.isArray() || list.isEmpty()) {
      throw ApiException.field("messages", "'messages' must be a list with at least one message");
    }
    for (JsonNode item : list) {
      if (!(item instanceof ObjectNode object)) {
        throw Fields.wrong("messages", "a list of messages", item);
      }
      input.message(new Fields(object));
    }
    boolean goesOn = input.messages.getLast().textOr("role", "").equals("assistant");
    return new ChatPrompt.Conversation(
        input.messages, tools(fields), !goesOn, goesOn, variables(fields, dialect));
  }

  private static Tools tools(Fields fields) {
    List<Tools.Tool> tools = ToolFields.tools(fields, "tools", ToolFields.Form.ANTHROPIC);
    Fields choice = fields.object("tool_choice");
    if (choice == null) {
      return ToolFields.of("tool_choice", tools, tools.isEmpty() ? "none" : "auto", null, true);
    }
    String type = String.valueOf(choice.text("type"));
    boolean parallel = !choice.flag("disable_parallel_tool_use", false);
    String word = type.equals("tool") ? "named" : type;
    return ToolFields.of("tool_choice", tools, word, choice.text("name"), parallel);
  }

  private static Map<String, Json> variables(Fields fields, Dialect dialect) {
    Fields config = fields.object("output_config");
    String effort = config == null ? null : config.text("effort");
    Map<String, Json> result = new HashMap<>(Messages.variables(fields, dialect, effort));
    Fields thinking = fields.object("thinking");
    String source = dialect.template() == null ? "" : dialect.template().source();
    if (thinking != null && source.contains("enable_thinking")) {
      boolean wanted = !"disabled".equals(thinking.text("type"));
      result.putIfAbsent("enable_thinking", new Json.Bool(wanted));
    }
    return result;
  }

  private void message(Fields message) {
    String role = String.valueOf(message.text("role"));
    if (!role.equals("user") && !role.equals("assistant")) {
      throw ApiException.field("messages", "a message's role must be user or assistant");
    }
    JsonNode content = message.get("content");
    if (content == null) {
      throw ApiException.field("messages", "a message's content is missing");
    }
    if (content.isString()) {
      add(role, content.stringValue());
      return;
    }
    if (!content.isArray()) {
      throw Fields.wrong("messages", "messages whose content is a string or blocks", content);
    }
    int before = messages.size();
    Turn turn = new Turn(role);
    for (JsonNode block : content) {
      if (!(block instanceof ObjectNode object)) {
        throw Fields.wrong("messages", "messages whose content is a string or blocks", block);
      }
      block(turn, new Fields(object));
    }
    turn.end();
    if (messages.size() == before) {
      add(role, "");
    }
  }

  private void block(Turn turn, Fields block) {
    String type = String.valueOf(block.text("type"));
    switch (type) {
      case "text" -> turn.texts.add(required(block, "text"));
      case "thinking" -> turn.thoughts.add(required(block, "thinking"));
      case "redacted_thinking" -> {}
      case "tool_use" -> {
        Fields input = block.object("input");
        String id = required(block, "id");
        String name = required(block, "name");
        called.put(id, name);
        turn.calls.add(ToolFields.call(id, name, input == null ? "" : input.body().toString()));
      }
      case "tool_result" -> {
        turn.end();
        result(block);
      }
      default ->
          throw ApiException.field(
              "messages", "content blocks of type '%s' are not supported".formatted(type));
    }
  }

  private void result(Fields block) {
    String id = required(block, "tool_use_id");
    JsonNode content = block.get("content");
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str("tool"));
    String text = content == null ? "" : Messages.text("messages", content, Set.of("text"));
    message.put("content", new Json.Str(block.flag("is_error", false) ? "Error: " + text : text));
    message.put("tool_call_id", new Json.Str(id));
    String name = called.get(id);
    if (name != null) {
      message.put("name", new Json.Str(name));
    }
    messages.add(new Json.Obj(message));
  }

  private static String required(Fields block, String name) {
    String text = block.text(name);
    if (text == null) {
      throw ApiException.field(
          "messages", "a block of type '%s' needs '%s'".formatted(block.text("type"), name));
    }
    return text;
  }

  private void add(String role, String content) {
    messages.add(
        new Json.Obj(Map.of("role", new Json.Str(role), "content", new Json.Str(content))));
  }

  /// Blocks of one message that become one message of the template.
  private final class Turn {
    private final String role;
    private final List<String> texts = new ArrayList<>();
    private final List<String> thoughts = new ArrayList<>();
    private final List<Json> calls = new ArrayList<>();

    Turn(String role) {
      this.role = role;
    }

    void end() {
      if (texts.isEmpty() && thoughts.isEmpty() && calls.isEmpty()) {
        return;
      }
      Map<String, Json> message = new LinkedHashMap<>();
      message.put("role", new Json.Str(role));
      message.put("content", new Json.Str(String.join("\n", texts)));
      if (!thoughts.isEmpty()) {
        message.put("reasoning_content", new Json.Str(String.join("\n", thoughts)));
      }
      if (!calls.isEmpty()) {
        message.put("tool_calls", new Json.Arr(List.copyOf(calls)));
      }
      messages.add(new Json.Obj(message));
      texts.clear();
      thoughts.clear();
      calls.clear();
    }
  }
}
