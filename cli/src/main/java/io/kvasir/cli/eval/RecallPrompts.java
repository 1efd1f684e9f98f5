package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateInput;
import io.kvasir.model.tokenizer.Tokenizer;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Makes tokens of what is told and asked: with the model's chat template where it has one, else as
/// plain text whose last line is to be completed.
///
/// What is asked always begins with exactly the tokens of what was told, so that what a cache holds
/// of it is read and not computed again.
public final class RecallPrompts {
  private static final String READ = "I have read it.";

  private final Tokenizer tokenizer;
  private final @Nullable ChatTemplate template;

  public RecallPrompts(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
    String source = tokenizer.chatTemplate();
    ChatTemplate compiled = source == null ? null : ChatTemplate.compile(source);
    template = compiled != null && appends(compiled) ? compiled : null;
  }

  /// Tokens of a text, as far as lengths are concerned.
  public int count(String text) {
    return tokenizer.encode(text).length;
  }

  /// A text that is told in one turn, the assistant's word that it was read included.
  int[] told(String text) {
    return template == null
        ? joined(new int[0], text + "\n")
        : joined(
            new int[0],
            render(template, List.of(message("user", text), message("assistant", READ)), false));
  }

  /// What is told up to a turn, the assistant's word that it was read included.
  ///
  /// @param turn counted from 0
  int[] told(RecallContext context, int turn) {
    List<Json> messages = new ArrayList<>();
    String before = "";
    int[] ids = new int[0];
    for (int i = 0; i <= turn; i++) {
      messages.add(message("user", context.turns().get(i)));
      messages.add(message("assistant", READ));
      String text =
          template == null
              ? before + context.turns().get(i) + "\n"
              : render(template, messages, false);
      ids = joined(ids, text.substring(before.length()));
      before = text;
    }
    return ids;
  }

  /// All that was told, and a question.
  int[] asked(RecallContext context, Fact fact) {
    int[] told = told(context, context.turns().size() - 1);
    if (template == null) {
      return joined(told, "\n" + fact.question() + "\n" + fact.opening());
    }
    List<Json> messages = new ArrayList<>();
    for (String turn : context.turns()) {
      messages.add(message("user", turn));
      messages.add(message("assistant", READ));
    }
    String before = render(template, messages, false);
    messages.add(message("user", fact.question()));
    return joined(told, render(template, messages, true).substring(before.length()));
  }

  String text(int[] ids) {
    return tokenizer.decode(ids, true);
  }

  private int[] joined(int[] ids, String text) {
    int[] more =
        ids.length == 0
            ? tokenizer.encodeWithSpecials(text, template != null)
            : tokenizer.encode(text, template != null);
    int[] all = Arrays.copyOf(ids, ids.length + more.length);
    System.arraycopy(more, 0, all, ids.length, more.length);
    return all;
  }

  /// Whether the template leaves what was said before as it is when more is said.
  private boolean appends(ChatTemplate candidate) {
    List<Json> messages = new ArrayList<>();
    messages.add(message("user", "A story."));
    messages.add(message("assistant", READ));
    String one = render(candidate, messages, false);
    messages.add(message("user", "More."));
    messages.add(message("assistant", READ));
    String two = render(candidate, messages, false);
    messages.add(message("user", "What?"));
    return two.startsWith(one) && render(candidate, messages, true).startsWith(two);
  }

  private String render(ChatTemplate with, List<Json> messages, boolean answer) {
    return with.render(
        new TemplateInput(
            new Json.Arr(List.copyOf(messages)),
            null,
            answer,
            tokenizer.specialTokens(),
            Map.of(),
            ZonedDateTime.of(2025, 1, 1, 12, 0, 0, 0, ZoneOffset.UTC)));
  }

  private static Json message(String role, String content) {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("role", new Json.Str(role));
    fields.put("content", new Json.Str(content));
    return new Json.Obj(fields);
  }
}
