package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads the messages of chat requests.
final class Messages {
  private static final Set<String> ROLES =
      Set.of("system", "developer", "user", "assistant", "tool", "function");

  private Messages() {}

  /// The conversation of a chat request.
  static ChatPrompt.Conversation conversation(Fields fields, Tools tools, Dialect dialect) {
    boolean goesOn = fields.flag("continue_final_message", false);
    boolean open = fields.flag("add_generation_prompt", !goesOn);
    if (goesOn && open) {
      throw ApiException.field(
          "continue_final_message",
          "'continue_final_message' and 'add_generation_prompt' exclude each other");
    }
    List<Json> messages = messages(fields);
    if (goesOn && !messages.getLast().textOr("role", "").equals("assistant")) {
      throw ApiException.field(
          "continue_final_message", "only a last message of the assistant can be continued");
    }
    Map<String, Json> variables = variables(fields, dialect, fields.text("reasoning_effort"));
    return new ChatPrompt.Conversation(messages, tools, open, goesOn, variables);
  }

  /// Further variables of the template.
  ///
  /// @param effort how much the model should think; null for as much as it likes
  static Map<String, Json> variables(Fields fields, Dialect dialect, @Nullable String effort) {
    Map<String, Json> result = new HashMap<>();
    Fields more = fields.object("chat_template_kwargs");
    if (more != null) {
      result.putAll(ToolFields.json("chat_template_kwargs", more.body()).asMap());
    }
    if (effort != null) {
      String source = dialect.template() == null ? "" : dialect.template().source();
      if (source.contains("reasoning_effort")) {
        result.putIfAbsent("reasoning_effort", new Json.Str(effort));
      } else if (source.contains("enable_thinking")) {
        result.putIfAbsent("enable_thinking", new Json.Bool(!effort.equals("none")));
      } else if (dialect.thinks() || !effort.equals("none")) {
        throw ApiException.field(
            "reasoning_effort", "this model's 'reasoning_effort' cannot be set; leave it out");
      }
    }
    return result;
  }

  private static List<Json> messages(Fields fields) {
    JsonNode list = fields.get("messages");
    if (list == null) {
      throw ApiException.field("messages", "'messages' is missing");
    }
    if (!list.isArray()) {
      throw Fields.wrong("messages", "a list of messages", list);
    }
    if (list.isEmpty()) {
      throw ApiException.field("messages", "'messages' is empty; give at least one message");
    }
    List<Json> result = new ArrayList<>();
    Map<String, String> called = new HashMap<>();
    for (JsonNode item : list) {
      if (!(item instanceof ObjectNode object)) {
        throw Fields.wrong("messages", "a list of messages", item);
      }
      result.add(message(new Fields(object), called));
    }
    return result;
  }

  /// @param called names of tools by the ids of their calls
  private static Json message(Fields message, Map<String, String> called) {
    message.refuse(Set.of("audio"));
    String role = message.text("role");
    if (role == null || !ROLES.contains(role)) {
      throw ApiException.field(
          "messages",
          "a message's role must be one of system, developer, user, assistant, tool or function");
    }
    Map<String, Json> result = new LinkedHashMap<>();
    List<Json> calls = role.equals("assistant") ? calls(message, called) : List.of();
    result.put("role", new Json.Str(templateRole(role)));
    result.put("content", new Json.Str(content(message, !calls.isEmpty())));
    String reasoning = message.text("reasoning_content");
    if (reasoning != null) {
      result.put("reasoning_content", new Json.Str(reasoning));
    }
    if (!calls.isEmpty()) {
      result.put("tool_calls", new Json.Arr(calls));
    }
    String id = message.text("tool_call_id");
    if (id != null) {
      result.put("tool_call_id", new Json.Str(id));
    }
    String name = message.text("name");
    name = name == null && id != null ? called.get(id) : name;
    if (name != null) {
      result.put("name", new Json.Str(name));
    }
    return new Json.Obj(result);
  }

  private static String templateRole(String role) {
    return switch (role) {
      case "developer" -> "system";
      case "function" -> "tool";
      default -> role;
    };
  }

  private static List<Json> calls(Fields message, Map<String, String> called) {
    List<Json> result = new ArrayList<>();
    Fields single = message.object("function_call");
    if (single != null) {
      result.add(call(single, "call_0"));
    }
    JsonNode list = message.get("tool_calls");
    if (list == null) {
      return result;
    }
    if (!list.isArray()) {
      throw Fields.wrong("messages", "messages whose tool_calls are a list", list);
    }
    for (JsonNode item : list) {
      Fields call = item instanceof ObjectNode object ? new Fields(object) : null;
      Fields function = call == null ? null : call.object("function");
      String id = call == null ? null : call.text("id");
      if (function == null || id == null) {
        throw ApiException.field("messages", "a tool call needs an id and a function");
      }
      called.put(id, String.valueOf(function.text("name")));
      result.add(call(function, id));
    }
    return result;
  }

  private static Json call(Fields function, String id) {
    String name = function.text("name");
    String arguments = function.text("arguments");
    if (name == null) {
      throw ApiException.field("messages", "a tool call needs a name");
    }
    return ToolFields.call(id, name, arguments == null ? "" : arguments);
  }

  /// A string, or text parts, which become lines.
  private static String content(Fields message, boolean mayLack) {
    JsonNode content = message.get("content");
    if (content == null && mayLack) {
      return "";
    }
    if (content == null) {
      throw ApiException.field("messages", "a message's content is missing");
    }
    return text("messages", content, Set.of("text"));
  }

  /// A string, or parts of the given types, which become lines.
  static String text(String field, JsonNode content, Set<String> types) {
    if (content.isString()) {
      return content.stringValue();
    }
    if (!content.isArray()) {
      throw Fields.wrong(field, "made of a string or parts", content);
    }
    List<String> lines = new ArrayList<>();
    for (JsonNode part : content) {
      Fields fields = part instanceof ObjectNode object ? new Fields(object) : null;
      String text = fields == null ? null : fields.text("text");
      if (fields == null || text == null || !types.contains(String.valueOf(fields.text("type")))) {
        throw ApiException.field(
            field, "only parts of type '%s' are supported".formatted(String.join("', '", types)));
      }
      lines.add(text);
    }
    return String.join("\n", lines);
  }
}
