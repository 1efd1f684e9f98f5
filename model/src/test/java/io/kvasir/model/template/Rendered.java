package io.kvasir.model.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.json.Json;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;

/// Rendering small templates in tests.
final class Rendered {
  static final ZonedDateTime NOW = ZonedDateTime.of(2026, 1, 15, 9, 5, 3, 0, ZoneOffset.UTC);

  /// The variables of most tests.
  static final String VARIABLES =
      """
      {"s": "Hello World", "n": 7, "f": 2.5, "l": [3, 1, 2], "d": {"b": 2, "a": 1},
       "u": "Zażółć 😀 gęś", "empty": "", "none_value": null, "yes": true,
       "m": [{"role": "user", "content": "a", "n": 3},
             {"role": "assistant", "content": "B", "n": 1},
             {"role": "user", "content": "c", "n": 2}]}
      """;

  private Rendered() {}

  static String render(String template) {
    return render(template, VARIABLES);
  }

  static String render(String template, String variables) {
    return Template.compile(template).render(Json.parse(variables).asMap(), NOW);
  }

  /// Rows of a template and the text that Jinja gives for it.
  static void assertRows(String... templatesAndTexts) {
    for (int i = 0; i < templatesAndTexts.length; i += 2) {
      String template = templatesAndTexts[i];
      assertThat(render(template)).as(template).isEqualTo(templatesAndTexts[i + 1]);
    }
  }

  /// Rows of a template and a part of the message of its error.
  static void assertFails(String... templatesAndMessages) {
    for (int i = 0; i < templatesAndMessages.length; i += 2) {
      String template = templatesAndMessages[i];
      assertThatThrownBy(() -> render(template))
          .as(template)
          .isInstanceOf(TemplateException.class)
          .hasMessageContaining(templatesAndMessages[i + 1]);
    }
  }
}
