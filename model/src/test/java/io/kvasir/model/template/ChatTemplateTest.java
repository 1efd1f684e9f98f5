package io.kvasir.model.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.json.Json;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {
  private static final String CHATML =
      """
      {% for m in messages %}
      {{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
      {%- endfor %}
      {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}\
      """;

  private static TemplateInput input(String json) {
    return TemplateInput.fromJson(Json.parse(json), null, Rendered.NOW);
  }

  @Test
  void render_twoMessages_givesThePrompt() {
    String json =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi {{ 1 }}\"}],"
            + " \"add_generation_prompt\": true}";
    assertThat(ChatTemplate.compile(CHATML).render(input(json)))
        .isEqualTo("<|im_start|>user\nHi {{ 1 }}<|im_end|>\n<|im_start|>assistant\n");
  }

  @Test
  void fromJson_tokensToolsAndExtras_reachTheTemplate() {
    String json =
        """
        {"messages": [], "tools": [1], "bos_token": "<s>", "eos_token": {"content": "</s>"},
         "special_tokens": {"pad_token": "<pad>"}, "unk_token": null, "documents": ["d"],
         "chat_template_kwargs": {"enable_thinking": false}, "now": "2026-01-15T12:00:00"}
        """;
    String template =
        "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}{{ tools }}{{ documents }}"
            + "{{ enable_thinking }}{{ add_generation_prompt }}{{ strftime_now('%H') }}";
    assertThat(ChatTemplate.compile(template).render(input(json)))
        .isEqualTo("<s></s><pad>None[1]['d']FalseFalse12");
  }

  @Test
  void fromJson_withoutTools_leavesThemUndefined() {
    ChatTemplate template = ChatTemplate.compile("{{ tools is defined }}{{ tools is none }}");
    assertThat(template.render(input("{\"messages\": []}"))).isEqualTo("FalseFalse");
    assertThat(template.render(input("{\"messages\": [], \"tools\": null}"))).isEqualTo("TrueTrue");
  }

  @Test
  void fromJson_wrongKinds_areRefused() {
    assertThatThrownBy(() -> input("[]")).hasMessage("a case must be a JSON object, not []");
    assertThatThrownBy(() -> input("{\"messages\": 5}"))
        .hasMessage("'messages' must be an array of messages, not 5");
    assertThatThrownBy(() -> input("{\"messages\": [], \"bos_token\": 5}"))
        .hasMessage("'bos_token' must be a string, not 5");
    assertThatThrownBy(() -> input("{\"messages\": [], \"add_generation_prompt\": 5}"))
        .hasMessage("the case cannot be used: expected true or false but found 5");
    assertThatThrownBy(() -> input("{\"messages\": [], \"now\": \"noon\"}"))
        .hasMessageStartingWith("'noon' is no time");
  }

  @Test
  void parseTime_knownShapes() {
    ZonedDateTime noon = ZonedDateTime.of(2026, 1, 15, 12, 0, 0, 0, ZoneOffset.UTC);
    assertThat(TemplateInput.parseTime("2026-01-15T12:00:00", ZoneOffset.UTC)).isEqualTo(noon);
    assertThat(TemplateInput.parseTime("2026-01-15 12:00", ZoneOffset.UTC)).isEqualTo(noon);
    assertThat(TemplateInput.parseTime("2026-01-15T12:00:00Z", ZoneOffset.UTC)).isEqualTo(noon);
    assertThat(TemplateInput.parseTime("2026-01-15", ZoneOffset.UTC))
        .isEqualTo(noon.minusHours(12));
    assertThat(TemplateInput.parseTime("2026-01-15T13:00:00+01:00", ZoneOffset.UTC))
        .isEqualTo(noon);
  }

  /// A generous bound for a loaded machine; linear time is what it guards.
  @Test
  void render_longConversation_isLinear() {
    List<Json> messages = new ArrayList<>();
    for (int i = 0; i < 20_000; i++) {
      messages.add(
          new Json.Obj(
              Map.of(
                  "role", new Json.Str(i % 2 == 0 ? "user" : "assistant"),
                  "content", new Json.Str("word ".repeat(100)))));
    }
    TemplateInput input =
        new TemplateInput(new Json.Arr(messages), null, true, Map.of(), Map.of(), Rendered.NOW);
    ChatTemplate template = ChatTemplate.compile(CHATML);
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(10),
        () -> assertThat(template.render(input)).hasSizeGreaterThan(10_000_000));
  }
}
