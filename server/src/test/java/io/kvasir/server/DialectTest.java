package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.template.ChatTemplate;
import io.kvasir.server.reply.ToolSyntax;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// How public chat templates write tool calls.
final class DialectTest {

  @Test
  void syntax_ofPublicTemplates_isFound() throws IOException {
    Path folder =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("../shared/reference/chat-templates");
    Assumptions.assumeTrue(
        Files.isDirectory(folder), "[no-reference-data] the public templates are not here");
    Map<String, String> found = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".jinja")).toList()) {
        ChatTemplate template = ChatTemplate.compile(Files.readString(file));
        ToolSyntax syntax =
            Dialect.syntax(template, Map.of("bos_token", "<s>", "eos_token", "</s>"));
        found.put(
            file.getFileName().toString().replace(".jinja", ""),
            syntax == null ? "none" : syntax.name());
      }
    }
    found.values().removeIf("none"::equals);

    assertThat(found)
        .containsExactlyInAnyOrderEntriesOf(
            Map.ofEntries(
                Map.entry("Bielik-11B-v3.0-Instruct", "HERMES"),
                Map.entry("MiMo-VL", "HERMES"),
                Map.entry("Mistral-Small-3.2-24B-Instruct-2506", "MISTRAL"),
                Map.entry("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "HERMES"),
                Map.entry("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "HERMES"),
                Map.entry("Qwen-QwQ-32B", "HERMES"),
                Map.entry("Qwen-Qwen2.5-7B-Instruct", "HERMES"),
                Map.entry("Qwen-Qwen3-0.6B", "HERMES"),
                Map.entry("Reka-Edge", "HERMES"),
                Map.entry("ibm-granite-granite-4.0", "HERMES"),
                Map.entry("meta-llama-Llama-3.1-8B-Instruct", "LLAMA"),
                Map.entry("meta-llama-Llama-3.2-3B-Instruct", "LLAMA"),
                Map.entry("mistralai-Mistral-Nemo-Instruct-2407", "MISTRAL"),
                Map.entry("unsloth-mistral-Devstral-Small-2507", "MISTRAL")));
  }
}
