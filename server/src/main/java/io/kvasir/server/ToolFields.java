package io.kvasir.server;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads tools and tool choices as the routes write them.
final class ToolFields {
  private static final int MOST = 128;
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.:-]{1,128}");

  private ToolFields() {}

  /// Where a route keeps a tool's fields.
  enum Form {
    /// `{"type": "function", "function": {"name", "description", "parameters"}}`
    NESTED,
    /// `{"type": "function", "name", "description", "parameters"}`, where the type may be absent.
    FLAT,
    /// `{"name", "description", "input_schema"}`
    ANTHROPIC
  }

  /// The tools under `name`; empty where there are none.
  static List<Tools.Tool> tools(Fields fields, String name, Form form) {
    JsonNode list = fields.get(name);
    if (list == null) {
      return List.of();
    }
    if (!list.isArray()) {
      throw Fields.wrong(name, "a list of tools", list);
    }
    if (list.size() > MOST) {
      throw ApiException.field(
          name, "'%s' has %d entries; at most %d are allowed".formatted(name, list.size(), MOST));
    }
    List<Tools.Tool> result = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode item : list) {
      if (!(item instanceof ObjectNode object)) {
        throw Fields.wrong(name, "a list of tools", item);
      }
      Tools.Tool tool = tool(name, new Fields(object), form);
      if (!names.add(tool.name())) {
        throw ApiException.field(name, "two tools are called '%s'".formatted(tool.name()));
      }
      result.add(tool);
    }
    return result;
  }

  private static Tools.Tool tool(String list, Fields tool, Form form) {
    String type = tool.text("type");
    boolean known = form == Form.ANTHROPIC ? "custom".equals(type) : "function".equals(type);
    if (type != null && !known) {
      throw ApiException.field(list, "tools of type '%s' are not supported".formatted(type));
    }
    Fields fields = form == Form.NESTED ? tool.object("function") : tool;
    String name = fields == null ? null : fields.text("name");
    if (fields == null || name == null || !NAME.matcher(name).matches()) {
      throw ApiException.field(
          list, "a tool needs a name of 1 to 128 letters, digits, '_', '-', '.' or ':'");
    }
    Fields schema = fields.object(form == Form.ANTHROPIC ? "input_schema" : "parameters");
    Json parameters =
        schema == null
            ? new Json.Obj(
                Map.of("type", new Json.Str("object"), "properties", new Json.Obj(Map.of())))
            : json(list, schema.body());
    return new Tools.Tool(
        name, fields.text("description"), parameters, fields.flag("strict", false));
  }

  /// The same value for templates.
  static Json json(String field, JsonNode node) {
    try {
      return Json.parse(node.toString());
    } catch (JsonException e) {
      throw ApiException.field(field, String.valueOf(e.getMessage()));
    }
  }

  /// The tools and choice of a chat request, or of its older fields `functions` and
  /// `function_call`.
  static Tools chat(Fields fields) {
    if (fields.has("functions")) {
      List<Tools.Tool> functions = tools(fields, "functions", Form.FLAT);
      return choice(fields, "function_call", functions, false);
    }
    List<Tools.Tool> tools = tools(fields, "tools", Form.NESTED);
    return choice(fields, "tool_choice", tools, fields.flag("parallel_tool_calls", true));
  }

  /// The choice of OpenAI's routes: a word, or an object that names a tool.
  static Tools choice(Fields fields, String name, List<Tools.Tool> tools, boolean parallel) {
    JsonNode choice = fields.get(name);
    if (choice == null) {
      return of(name, tools, tools.isEmpty() ? "none" : "auto", null, parallel);
    }
    if (choice instanceof ObjectNode object) {
      Fields outer = new Fields(object);
      Fields inner = outer.has("function") ? outer.object("function") : outer;
      String named = inner == null ? null : inner.text("name");
      return of(name, tools, "named", named, parallel);
    }
    if (!choice.isString()) {
      throw Fields.wrong(name, "a word or an object", choice);
    }
    return of(name, tools, choice.stringValue(), null, parallel);
  }

  /// Checks a choice against the tools.
  static Tools of(
      String field, List<Tools.Tool> tools, String word, @Nullable String named, boolean parallel) {
    Tools.Choice choice =
        switch (word) {
          case "none" -> Tools.Choice.NONE;
          case "auto" -> Tools.Choice.AUTO;
          case "required", "any" -> Tools.Choice.REQUIRED;
          case "named" -> Tools.Choice.NAMED;
          default ->
              throw ApiException.field(
                  field, "'%s' must be none, auto, required or name a tool".formatted(field));
        };
    boolean forced = choice == Tools.Choice.REQUIRED || choice == Tools.Choice.NAMED;
    if (forced && tools.isEmpty()) {
      throw ApiException.field(field, "'%s' wants a tool, but there are none".formatted(field));
    }
    Tools result = new Tools(tools, choice, named, parallel);
    if (choice == Tools.Choice.NAMED && (named == null || !result.names().contains(named))) {
      throw ApiException.field(
          field, "'%s' names '%s', which is no tool of this request".formatted(field, named));
    }
    return result;
  }

  /// A call in an earlier message, as templates expect it. Arguments that are JSON become a value.
  static Json call(String id, String name, String arguments) {
    Map<String, Json> function = new LinkedHashMap<>();
    function.put("name", new Json.Str(name));
    function.put("arguments", arguments(arguments));
    Map<String, Json> call = new LinkedHashMap<>();
    call.put("id", new Json.Str(id));
    call.put("type", new Json.Str("function"));
    call.put("function", new Json.Obj(function));
    return new Json.Obj(call);
  }

  private static Json arguments(String text) {
    if (text.isBlank()) {
      return new Json.Obj(Map.of());
    }
    try {
      return Json.parse(text);
    } catch (JsonException e) {
      return new Json.Str(text);
    }
  }
}
