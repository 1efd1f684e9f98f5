package io.kvasir.model.template;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a chat template is rendered with.
///
/// @param messages an array of objects with `role` and `content`
/// @param tools an array of tools, or null when there are none
/// @param addGenerationPrompt whether the text ends where the assistant is to speak
/// @param specialTokens such as `bos_token` to `<s>`
/// @param extra any other variable, such as `documents` or `enable_thinking`
/// @param now what `strftime_now` shows
public record TemplateInput(
    Json messages,
    @Nullable Json tools,
    boolean addGenerationPrompt,
    Map<String, String> specialTokens,
    Map<String, Json> extra,
    ZonedDateTime now) {

  public TemplateInput {
    if (!(messages instanceof Json.Arr)) {
      throw new TemplateException(
          "'messages' must be an array of messages, not " + excerpt(messages));
    }
    specialTokens = Map.copyOf(specialTokens);
    extra = Map.copyOf(extra);
  }

  /// Reads a case: an object with `messages` and, as wanted, `tools`, `add_generation_prompt`
  /// (false when absent), tokens (`bos_token`, ... or an object `special_tokens`),
  /// `chat_template_kwargs`, `now`, and any other variable.
  ///
  /// @param now the clock to use, or null to use the case's own
  /// @param clock the clock to use where there is neither; its zone is the one of a `now` without
  /// @throws TemplateException where `messages` is missing or a value has the wrong kind
  public static TemplateInput fromJson(
      Json json, @Nullable ZonedDateTime now, ZonedDateTime clock) {
    if (!(json instanceof Json.Obj)) {
      throw new TemplateException("a case must be a JSON object, not " + excerpt(json));
    }
    try {
      return read(json, now, clock);
    } catch (JsonException e) {
      throw new TemplateException("the case cannot be used: " + e.getMessage());
    }
  }

  private static TemplateInput read(Json json, @Nullable ZonedDateTime now, ZonedDateTime clock) {
    Map<String, String> tokens = new LinkedHashMap<>();
    Map<String, Json> extra = new LinkedHashMap<>();
    ZonedDateTime time = clock;
    for (Map.Entry<String, Json> field : json.asMap().entrySet()) {
      String name = field.getKey();
      Json value = field.getValue();
      switch (name) {
        case "messages", "tools", "add_generation_prompt" -> {}
        case "special_tokens" -> value.asMap().forEach((token, text) -> put(tokens, token, text));
        case "chat_template_kwargs" -> extra.putAll(value.asMap());
        case "now" -> time = parseTime(value.asString(), clock.getZone());
        default -> {
          if (name.endsWith("_token") && !value.isNull()) {
            put(tokens, name, value);
          } else {
            extra.put(name, value);
          }
        }
      }
    }
    boolean prompt = json.booleanOr("add_generation_prompt", false);
    Json tools = json.asMap().get("tools");
    return new TemplateInput(
        json.get("messages"), tools, prompt, tokens, extra, now == null ? time : now);
  }

  /// A token is a string, or an object with its string under `content`.
  private static void put(Map<String, String> tokens, String name, Json token) {
    Json text = token instanceof Json.Obj ? token.get("content") : token;
    if (text instanceof Json.Str(String value)) {
      tokens.put(name, value);
    } else if (!token.isNull()) {
      throw new TemplateException("'" + name + "' must be a string, not " + excerpt(token));
    }
  }

  /// A time such as `2026-01-15`, `2026-01-15T12:00:00`, or with a zone `2026-01-15T12:00:00Z`;
  /// without a zone it is meant in `zone`.
  ///
  /// @throws TemplateException where the text is no time
  public static ZonedDateTime parseTime(String text, ZoneId zone) {
    try {
      if (text.length() <= 10) {
        return LocalDate.parse(text).atStartOfDay(zone);
      }
      String iso = text.replace(' ', 'T');
      if (iso.endsWith("Z")) {
        return Instant.parse(iso).atZone(zone);
      }
      return hasOffset(iso) ? ZonedDateTime.parse(iso) : LocalDateTime.parse(iso).atZone(zone);
    } catch (DateTimeException e) {
      throw new TemplateException(
          "'" + text + "' is no time such as 2026-01-15T12:00:00 or 2026-01-15");
    }
  }

  private static boolean hasOffset(String iso) {
    return iso.indexOf('+') > 0 || iso.lastIndexOf('-') > 10;
  }

  private static String excerpt(Json json) {
    String text = json.toText();
    return text.length() > 60 ? text.substring(0, 60) + "..." : text;
  }
}
