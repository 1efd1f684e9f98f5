package io.kvasir.model.template;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// Public chat templates against the texts that Jinja2 gives for them.
class ReferenceTemplatesTest {
  private static final Path FOLDER =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("../shared/reference/chat-templates");

  @Test
  void render_everyReferenceCase_equalsJinja() throws IOException {
    Path file = FOLDER.resolve("expected.json");
    Assumptions.assumeTrue(
        Files.exists(file), "[no-reference-data] chat-templates/expected.json is absent");
    Json reference = Json.parse(Files.readString(file));
    Map<String, String> differences = new LinkedHashMap<>();
    int cases = 0;
    for (Map.Entry<String, Json> template : reference.get("expected").asMap().entrySet()) {
      String source = Files.readString(FOLDER.resolve(template.getKey()));
      for (Map.Entry<String, Json> expected : template.getValue().asMap().entrySet()) {
        String name = expected.getKey();
        String difference = compare(reference, source, name, expected.getValue());
        cases++;
        if (!difference.isEmpty()) {
          differences.put(template.getKey() + ", case " + name, difference);
        }
      }
    }
    assertThat(differences).isEmpty();
    assertThat(cases).isEqualTo(234);
  }

  /// What differs, or an empty string.
  private static String compare(Json reference, String source, String name, Json expected) {
    Map<String, Json> fields = new LinkedHashMap<>(reference.asMap());
    fields.keySet().removeIf(key -> !key.endsWith("_token") && !key.equals("now"));
    fields.putAll(reference.get("cases").get(name).asMap());
    ZonedDateTime clock = ZonedDateTime.of(2000, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC);
    TemplateInput input = TemplateInput.fromJson(new Json.Obj(fields), null, clock);
    String text;
    try {
      text = ChatTemplate.compile(source).render(input);
    } catch (TemplateException e) {
      return compareError(expected, e);
    }
    if (!expected.has("text")) {
      return "rendered, but Jinja fails: " + expected.stringOr("error", "");
    }
    return text.equals(expected.get("text").asString()) ? "" : "other text: " + text;
  }

  /// The words of `raise_exception` must be the same; other errors only have to be errors.
  private static String compareError(Json expected, TemplateException e) {
    String error = expected.stringOr("error", null);
    if (error == null) {
      return "failed: " + e.getMessage();
    }
    boolean raised = error.startsWith("TemplateError: ");
    boolean same = !raised || error.equals("TemplateError: " + e.getMessage());
    return same && raised == e.isRaisedByTemplate() ? "" : "other error: " + e.getMessage();
  }
}
