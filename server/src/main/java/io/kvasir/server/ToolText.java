package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Tools as plain text, for templates that have none: the system message (or the user's first where
/// the template has no system messages) lists them and tells how to call them, calls stand in the
/// assistant's text, and results in the user's.
final class ToolText {
  private boolean results;

  private ToolText() {}

  /// The same conversation without tools, calls or tool messages.
  ///
  /// @param system whether the template takes system messages; else the user's first tells
  static List<Json> write(List<Json> messages, Tools tools, boolean system) {
    return new ToolText().written(messages, tools, system ? "system" : "user");
  }

  private List<Json> written(List<Json> messages, Tools tools, String teller) {
    List<Json> result = new ArrayList<>();
    boolean told = !tools.areOffered();
    for (Json message : messages) {
      String role = message.textOr("role", "");
      if (!told) {
        told = true;
        if (role.equals(teller)) {
          String own = message.textOr("content", "");
          String offer = offer(tools);
          result.add(
              text(role, role.equals("system") ? own + "\n\n" + offer : offer + "\n\n" + own));
          continue;
        }
        result.add(text(teller, offer(tools)));
      }
      if (role.equals("tool")) {
        addResult(result, message);
      } else {
        results = false;
        result.add(message.has("tool_calls") ? text("assistant", calls(message)) : message);
      }
    }
    return result;
  }

  /// Results that follow each other are one message: many templates want roles to alternate.
  private void addResult(List<Json> result, Json message) {
    String text = "<tool_response>\n" + message.textOr("content", "") + "\n</tool_response>";
    String before = results ? result.removeLast().textOr("content", "") + "\n" : "";
    result.add(text("user", before + text));
    results = true;
  }

  private static Json text(String role, String content) {
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str(role));
    message.put("content", new Json.Str(content));
    return new Json.Obj(message);
  }

  /// What the model is told about its tools.
  static String offer(Tools tools) {
    StringBuilder text = new StringBuilder("You can use these tools. Each line describes one.\n");
    for (Tools.Tool tool : tools.all()) {
      text.append(tool.json().get("function").toText()).append('\n');
    }
    return text.append(
            """
            To use a tool, write this and nothing else, once for each use:
            <tool_call>
            {"name": "the tool's name", "arguments": {"its parameters": "as JSON"}}
            </tool_call>
            Results come back between <tool_response> and </tool_response>.\
            """)
        .toString();
  }

  private static String calls(Json message) {
    StringBuilder text = new StringBuilder(message.textOr("content", ""));
    for (Json call : message.get("tool_calls").asList()) {
      Json function = call.get("function");
      Map<String, Json> written = new LinkedHashMap<>();
      written.put("name", function.get("name"));
      written.put("arguments", function.get("arguments"));
      text.append(text.isEmpty() ? "" : "\n");
      text.append("<tool_call>\n").append(new Json.Obj(written).toText()).append("\n</tool_call>");
    }
    return text.toString();
  }
}
