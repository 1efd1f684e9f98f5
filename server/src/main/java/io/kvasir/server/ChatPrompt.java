package io.kvasir.server;

import io.kvasir.model.json.Json;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateException;
import io.kvasir.model.template.TemplateInput;
import io.kvasir.server.reply.Speech;
import io.kvasir.server.reply.ToolSyntax;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/// A conversation as the model reads it.
///
/// @param tokens the prompt
/// @param speech what the answer may hold
/// @param system the text up to the end of a system message that begins it; empty for none
@SuppressWarnings("ArrayRecordComponent") // only read
record ChatPrompt(int[] tokens, Speech speech, String system) {

  /// What a prompt is made of.
  ///
  /// @param messages objects with `role` and `content`, as templates expect them
  /// @param open whether the assistant is to speak next
  /// @param goesOn whether the assistant goes on with the last message
  /// @param variables further variables of the template
  record Conversation(
      List<Json> messages, Tools tools, boolean open, boolean goesOn, Map<String, Json> variables) {
    Conversation {
      messages = List.copyOf(messages);
      variables = Map.copyOf(variables);
    }

    /// To be answered.
    Conversation(List<Json> messages, Tools tools, Map<String, Json> variables) {
      this(messages, tools, true, false, variables);
    }
  }

  /// Renders a conversation.
  ///
  /// @throws ApiException where the model has no template or the template refuses the messages
  static ChatPrompt of(ServedModel model, Dialect dialect, Conversation conversation) {
    String text = render(model, dialect, conversation);
    return new ChatPrompt(
        model.tokenizer().encode(text, true),
        speech(dialect, conversation.tools(), text),
        system(conversation, text));
  }

  private static String system(Conversation conversation, String text) {
    if (conversation.messages().isEmpty()) {
      return "";
    }
    Json first = conversation.messages().getFirst();
    String role = first.textOr("role", "");
    String content = first.textOr("content", "").strip();
    boolean leads = role.equals("system") || role.equals("developer");
    int at = leads && !content.isEmpty() ? text.indexOf(content) : -1;
    return at < 0 ? "" : text.substring(0, at + content.length());
  }

  /// Parameters of a request for this prompt, whose pruning leaves the system message alone.
  Parameters pinned(ServedModel model, Parameters parameters) {
    return parameters.prune().isNone() || system.isEmpty()
        ? parameters
        : parameters.pinning(model.tokenizer().encode(system, true).length);
  }

  private static String render(ServedModel model, Dialect dialect, Conversation conversation) {
    ChatTemplate template = dialect.template();
    if (template == null) {
      throw new ApiException(
          400, "this model has no chat template; use /v1/completions", "messages", null);
    }
    Tools tools = conversation.tools();
    boolean own = dialect.tools() != null;
    List<Json> messages =
        own
            ? conversation.messages()
            : ToolText.write(conversation.messages(), tools, dialect.system());
    try {
      TemplateInput input =
          new TemplateInput(
              new Json.Arr(messages),
              own && tools.areOffered() ? tools.json() : null,
              conversation.open() && !conversation.goesOn(),
              model.tokenizer().specialTokens(),
              conversation.variables(),
              ZonedDateTime.now(ZoneId.systemDefault()));
      String text = template.render(input);
      return conversation.goesOn() ? cut(text, messages.getLast()) : text;
    } catch (TemplateException e) {
      throw ApiException.field(
          "messages", "the model's chat template refuses these messages: " + e.getMessage());
    }
  }

  /// Drops what the template writes after the last message's text.
  private static String cut(String text, Json last) {
    String content = last.textOr("content", "").strip();
    int at = content.isEmpty() ? -1 : text.lastIndexOf(content);
    if (at < 0) {
      throw ApiException.field(
          "continue_final_message",
          "the last message cannot be continued: the model's chat template does not show its text");
    }
    String given = last.textOr("content", "");
    String tail = given.substring(given.stripTrailing().length());
    int end = at + content.length();
    return text.substring(0, end) + (text.startsWith(tail, end) ? tail : "");
  }

  private static Speech speech(Dialect dialect, Tools tools, String text) {
    Speech.Thoughts thoughts =
        text.stripTrailing().endsWith("<think>")
            ? Speech.Thoughts.OPEN
            : dialect.thinks() ? Speech.Thoughts.POSSIBLE : Speech.Thoughts.NONE;
    if (!tools.areOffered()) {
      return new Speech(thoughts, null);
    }
    ToolSyntax syntax = dialect.tools() == null ? ToolSyntax.HERMES : dialect.tools();
    Supplier<String> ids = syntax == ToolSyntax.MISTRAL ? Ids::nine : () -> Ids.next("call_");
    return new Speech(thoughts, new Speech.Tools(syntax, tools.names(), ids));
  }
}
