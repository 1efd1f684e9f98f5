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
/// @param system whether it takes system messages
record Dialect(
    @Nullable ChatTemplate template, @Nullable ToolSyntax tools, boolean thinks, boolean system) {
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
      return new Dialect(null, null, false, true);
    }
    boolean thinks =
        template.source().contains("think>") || model.tokenizer().idOf("</think>").isPresent();
    Map<String, String> special = model.tokenizer().specialTokens();
    return new Dialect(template, syntax(template, special), thinks, takesSystem(template, special));
  }

  /// Whether a template shows system messages.
  static boolean takesSystem(ChatTemplate template, Map<String, String> specialTokens) {
    List<Json> messages = List.of(message("system", NAME, null), message("user", "Hello", null));
    try {
      return render(template, messages, null, specialTokens).contains(NAME);
    } catch (TemplateException e) {
      return false;
    }
  }

  private static String render(
      ChatTemplate template,
      List<Json> messages,
      @Nullable Json tools,
      Map<String, String> specialTokens) {
    return template.render(
        new TemplateInput(
            new Json.Arr(messages),
            tools,
            false,
            specialTokens,
            Map.of(),
            ZonedDateTime.now(ZoneOffset.UTC)));
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
      return syntax(render(template, List.of(asked, answered), tools, specialTokens));
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
