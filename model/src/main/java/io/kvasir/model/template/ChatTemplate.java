package io.kvasir.model.template;

import io.kvasir.model.json.Json;
import java.util.LinkedHashMap;
import java.util.Map;

/// A model's chat template: turns messages and tools into the text that the model reads. See
/// [Template] for the language. Immutable; may be rendered by several threads at once.
public final class ChatTemplate {
  private final Template template;
  private final String source;

  private ChatTemplate(Template template, String source) {
    this.template = template;
    this.source = source;
  }

  /// Parses the text of a template, as it stands in `tokenizer_config.json` or GGUF metadata.
  ///
  /// @throws TemplateException where the source is no template, naming the line
  public static ChatTemplate compile(String source) {
    return new ChatTemplate(Template.compile(source), source);
  }

  /// The text that was parsed.
  public String source() {
    return source;
  }

  /// The prompt for `input`. The template sees `messages`, `tools` (undefined when there are none),
  /// `add_generation_prompt`, the special tokens by name, and the extra variables.
  ///
  /// @throws TemplateException where the template fails, refuses the messages (in its own words),
  ///   or reaches a limit
  public String render(TemplateInput input) {
    Map<String, Json> variables = new LinkedHashMap<>();
    input.specialTokens().forEach((name, token) -> variables.put(name, new Json.Str(token)));
    variables.putAll(input.extra());
    variables.put("messages", input.messages());
    if (input.tools() != null) {
      variables.put("tools", input.tools());
    }
    variables.put("add_generation_prompt", new Json.Bool(input.addGenerationPrompt()));
    return template.render(variables, input.now());
  }
}
