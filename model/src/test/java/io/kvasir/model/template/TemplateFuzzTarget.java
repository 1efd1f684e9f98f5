package io.kvasir.model.template;

import io.kvasir.model.json.Json;
import java.nio.charset.StandardCharsets;
import java.time.ZoneId;

/// An entry for fuzzers that know Jazzer's convention (`--target_class`): any text renders as a
/// template or is refused with a [TemplateException].
public final class TemplateFuzzTarget {
  private static final TemplateInput INPUT =
      TemplateInput.fromJson(
          Json.parse(
              """
              {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
               "add_generation_prompt": true, "bos_token": "<s>", "tools": [{"name": "f"}]}
              """),
          null,
          TemplateInput.parseTime("2026-01-01T00:00:00Z", ZoneId.of("UTC")));

  private TemplateFuzzTarget() {}

  public static void fuzzerTestOneInput(byte[] bytes) {
    read(new String(bytes, StandardCharsets.UTF_8));
  }

  /// Answers whether the text was accepted.
  static boolean read(String text) {
    try {
      ChatTemplate.compile(text).render(INPUT);
      return true;
    } catch (TemplateException e) {
      return false;
    }
  }
}
