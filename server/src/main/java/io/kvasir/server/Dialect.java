package io.kvasir.server;

import io.kvasir.model.json.Json;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateException;
import io.kvasir.model.template.TemplateInput;
import io.kvasir.server.reply.ToolSyntax;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a model's chat template can do. Found out by rendering a conversation with a tool and
/// looking at what becomes of it.
///
/// @param tools how the template writes calls; null where it has no tools, or writes calls in a
///   form that cannot be read back
/// @param thinks whether answers may begin with thoughts
record Dialect(@Nullable ChatTemplate template, @Nullable ToolSyntax tools, boolean thinks) {
  private static final String NAME = "kvasir_probe";
  private static final Pattern HERMES =
      Pattern.compile("<tool_call>\\s*\\{\\s*\"name\":\\s*\"" + NAME + "\",\\s*\"arguments\":");
  private static final Pattern MISTRAL =
      Pattern.compile(
          "\\[TOOL_CALLS]\\s*(\\[?\\{\"name\":\\s*\"" + NAME + "\"|" + NAME + "(\\[|\\{))");
  private static final Pattern LLAMA =
      Pattern.compile("\\{\"name\":\\s*\"" + NAME + "\",\\s*\"parameters\":");

  static Dialect of(ServedModel model) {
    ChatTemplate template = model.template();
    if (template == null) {
      return new Dialect(null, null, false);
    }
    boolean thinks =
        template.source().contains("think>") || model.tokenizer().idOf("</think>").isPresent();
    return new Dialect(template, syntax(template, model.tokenizer().specialTokens()), thinks);
  }

  /// How a template writes calls.
  static @Nullable ToolSyntax syntax(ChatTemplate template, Map<String, String> specialTokens) {
    Json tools =
        new Tools(
                List.of(new Tools.Tool(NAME, NAME + "_text", new Json.Obj(Map.of()), false)),
                Tools.Choice.AUTO,
                null,
                true)
            .json();
    Json call = ToolFields.call("abcdefghi", NAME, "{\"a\":1}");
    Json asked = message("user", "Hello", null);
    Json answered = message("assistant", "", new Json.Arr(List.of(call)));
    try {
      TemplateInput input =
          new TemplateInput(
              new Json.Arr(List.of(asked, answered)),
              tools,
              false,
              specialTokens,
              Map.of(),
              ZonedDateTime.now(ZoneOffset.UTC));
      return syntax(template.render(input));
    } catch (TemplateException e) {
      return null; // It takes no tools.
    }
  }

  private static @Nullable ToolSyntax syntax(String text) {
    if (!text.contains(NAME + "_text")) {
      return null; // The model would not see the tools.
    }
    if (HERMES.matcher(text).find()) {
      return ToolSyntax.HERMES;
    }
    if (MISTRAL.matcher(text).find()) {
      return ToolSyntax.MISTRAL;
    }
    return LLAMA.matcher(text).find() ? ToolSyntax.LLAMA : null;
  }

  private static Json message(String role, String content, @Nullable Json calls) {
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str(role));
    message.put("content", new Json.Str(content));
    if (calls != null) {
      message.put("tool_calls", calls);
    }
    return new Json.Obj(message);
  }
}
