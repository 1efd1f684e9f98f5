package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateCommandTest {
  @TempDir Path folder;

  @Test
  void text_isPrintedWithNothingAdded() throws IOException {
    Path template =
        Files.writeString(
            folder.resolve("t.jinja"),
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
                + "{% if add_generation_prompt %} ->{% endif %} {{ strftime_now('%Y-%m-%d') }}");
    Path input =
        Files.writeString(
            folder.resolve("case.json"),
            """
            {"messages": [{"role": "user", "content": "żółw {{ 7*7 }}"}],
             "add_generation_prompt": true, "bos_token": "<s>"}\
            """);

    Outcome outcome =
        Shell.run(
            "template",
            template.toString(),
            "--input",
            input.toString(),
            "--now",
            "2026-01-15T12:00:00");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).isEqualTo("<s>[user] żółw {{ 7*7 }} -> 2026-01-15");
    assertThat(outcome.exitCode()).isZero();
  }
}
