package io.kvasir.server;

import io.kvasir.engine.grammar.GrammarException;
import io.kvasir.model.json.Json;
import io.kvasir.server.reply.Speech;
import io.kvasir.server.reply.ToolSyntax;
import io.kvasir.server.shape.CallForm;
import io.kvasir.server.shape.Shape;
import io.kvasir.server.shape.Shapes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Puts together what an answer must look like: its format, its tool calls, and thoughts before.
final class AnswerShape {
  private final Shapes shapes;

  AnswerShape(Shapes shapes) {
    this.shapes = shapes;
  }

  /// The shape of answers.
  ///
  /// @param format what content must be; null for any text
  /// @return null where nothing is asked for
  @Nullable Shape of(@Nullable Shape format, Tools tools, Speech speech) {
    Shape shape = format;
    Speech.Tools spoken = speech.tools();
    if (spoken != null) {
      shape = calls(format, tools, spoken.syntax());
    }
    return shape == null || speech.thoughts() == Speech.Thoughts.NONE
        ? shape
        : shapes.afterThoughts(shape, speech.thoughts() == Speech.Thoughts.OPEN);
  }

  private @Nullable Shape calls(@Nullable Shape format, Tools tools, ToolSyntax syntax) {
    boolean forced = tools.isForced();
    if (forced && format != null) {
      throw ApiException.field(
          "tool_choice", "an answer that must call a tool cannot have a 'response_format' too");
    }
    boolean strict = tools.called().stream().anyMatch(Tools.Tool::strict);
    if (!forced && syntax != ToolSyntax.HERMES && format == null && !strict) {
      return null; // Nothing tells a call from content before it is written.
    }
    CallForm form = form(syntax, forced, tools.parallel());
    Json call = schema(tools, syntax);
    if (forced || strict) {
      return Format.compile("tools", () -> shapes.calls(form, call, format));
    }
    try {
      return shapes.calls(form, call, format);
    } catch (GrammarException e) {
      return format; // Calls are as good as the model is.
    }
  }

  private static CallForm form(ToolSyntax syntax, boolean forced, boolean several) {
    return switch (syntax) {
      case HERMES -> new CallForm("<tool_call>\n", "\n", "\n</tool_call>", "\n", forced, several);
      case MISTRAL -> new CallForm("[TOOL_CALLS]", "", "", "", forced, false);
      case LLAMA -> new CallForm("", "", "", "", forced, false);
    };
  }

  private static Json schema(Tools tools, ToolSyntax syntax) {
    String arguments = syntax == ToolSyntax.LLAMA ? "parameters" : "arguments";
    boolean list = syntax == ToolSyntax.MISTRAL;
    List<Json> calls = new ArrayList<>();
    for (Tools.Tool tool : tools.called()) {
      String root =
          "#%s/anyOf/%d/properties/%s".formatted(list ? "/items" : "", calls.size(), arguments);
      calls.add(call(tool, arguments, moved(tool.parameters(), root)));
    }
    Json call = new Json.Obj(Map.of("anyOf", new Json.Arr(calls)));
    if (!list) {
      return call;
    }
    Map<String, Json> array = new LinkedHashMap<>();
    array.put("type", new Json.Str("array"));
    array.put("items", call);
    array.put("minItems", new Json.Int(1));
    if (!tools.parallel()) {
      array.put("maxItems", new Json.Int(1));
    }
    return new Json.Obj(array);
  }

  private static Json call(Tools.Tool tool, String arguments, Json schema) {
    Map<String, Json> properties = new LinkedHashMap<>();
    properties.put("name", new Json.Obj(Map.of("const", new Json.Str(tool.name()))));
    properties.put(arguments, schema);
    Map<String, Json> call = new LinkedHashMap<>();
    call.put("type", new Json.Str("object"));
    call.put("properties", new Json.Obj(properties));
    call.put("required", new Json.Arr(List.of(new Json.Str("name"), new Json.Str(arguments))));
    call.put("additionalProperties", new Json.Bool(false));
    return new Json.Obj(call);
  }

  /// A schema within another: its references to itself begin at `root`.
  private static Json moved(Json schema, String root) {
    return switch (schema) {
      case Json.Arr(List<Json> items) ->
          new Json.Arr(items.stream().map(item -> moved(item, root)).toList());
      case Json.Obj(Map<String, Json> fields) -> {
        Map<String, Json> result = new LinkedHashMap<>();
        fields.forEach((name, value) -> {
          boolean local =
              name.equals("$ref") && value instanceof Json.Str(String ref) && ref.startsWith("#");
          result.put(
              name,
              local ? new Json.Str(root + value.asString().substring(1)) : moved(value, root));
        });
        yield new Json.Obj(result);
      }
      case Json.Null _, Json.Bool _, Json.Int _, Json.Real _, Json.Str _ -> schema;
    };
  }
}
