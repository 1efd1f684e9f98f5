package io.kvasir.server;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateException;
import io.kvasir.model.template.TemplateInput;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Turns chat messages into a prompt, as the model's template says.
final class Messages {
  private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant");

  private Messages() {}

  /// The prompt's token ids.
  static int[] prompt(Fields fields, ServedModel model, boolean addGenerationPrompt) {
    ChatTemplate template = model.template();
    if (template == null) {
      throw new ApiException(
          400, "this model has no chat template; use /v1/completions", "messages", null);
    }
    try {
      TemplateInput input =
          new TemplateInput(
              new Json.Arr(messages(fields)),
              null,
              addGenerationPrompt,
              model.tokenizer().specialTokens(),
              extra(fields),
              ZonedDateTime.now(ZoneId.systemDefault()));
      return model.tokenizer().encode(template.render(input), true);
    } catch (TemplateException e) {
      throw ApiException.field(
          "messages", "the model's chat template refuses these messages: " + e.getMessage());
    }
  }

  private static Map<String, Json> extra(Fields fields) {
    Fields extra = fields.object("chat_template_kwargs");
    if (extra == null) {
      return Map.of();
    }
    try {
      return Json.parse(extra.body().toString()) instanceof Json.Obj(Map<String, Json> values)
          ? values
          : Map.of();
    } catch (JsonException e) {
      throw ApiException.field("chat_template_kwargs", String.valueOf(e.getMessage()));
    }
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
    for (JsonNode item : list) {
      if (!(item instanceof ObjectNode object)) {
        throw Fields.wrong("messages", "a list of messages", item);
      }
      result.add(message(new Fields(object)));
    }
    return result;
  }

  private static Json message(Fields message) {
    message.refuse(Set.of("tool_calls", "function_call", "audio"));
    String role = message.text("role");
    if (role == null || !ROLES.contains(role)) {
      throw ApiException.field(
          "messages", "a message's role must be one of system, developer, user or assistant");
    }
    Map<String, Json> result = new LinkedHashMap<>();
    result.put("role", new Json.Str(role.equals("developer") ? "system" : role));
    result.put("content", new Json.Str(content(message)));
    return new Json.Obj(result);
  }

  /// A string, or text parts, which become lines.
  private static String content(Fields message) {
    JsonNode content = message.get("content");
    if (content == null) {
      throw ApiException.field("messages", "a message's content is missing");
    }
    if (content.isString()) {
      return content.stringValue();
    }
    if (!content.isArray()) {
      throw Fields.wrong("messages", "messages whose content is a string or parts", content);
    }
    List<String> lines = new ArrayList<>();
    for (JsonNode part : content) {
      Fields fields = part instanceof ObjectNode object ? new Fields(object) : null;
      String text = fields == null ? null : fields.text("text");
      if (fields == null || text == null || !"text".equals(fields.text("type"))) {
        throw ApiException.field("messages", "only parts of type 'text' are supported");
      }
      lines.add(text);
    }
    return String.join("\n", lines);
  }
}
