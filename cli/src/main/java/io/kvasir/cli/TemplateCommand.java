package io.kvasir.cli;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateException;
import io.kvasir.model.template.TemplateInput;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir template`: the text that a chat template makes of messages.
@Command(
    name = "template",
    description = {
      "Render a chat template to standard output, with nothing added.",
      "CASE.json is an object with messages and, as wanted, tools, add_generation_prompt,",
      "bos_token and other special tokens, now, and any other variable."
    })
final class TemplateCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(paramLabel = "FILE.jinja|MODEL", description = "A template, or a model that has one.")
  private String source = "";

  @Option(
      names = "--input",
      required = true,
      paramLabel = "CASE.json",
      description = "What to render.")
  private Path input = Path.of("");

  @Option(
      names = "--now",
      paramLabel = "TIME",
      description = "What the template sees as the time, such as 2026-01-15T12:00:00.")
  private @Nullable String now;

  TemplateCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    ZoneId zone = ZoneId.systemDefault();
    TemplateInput parsed =
        TemplateInput.fromJson(
            read(input), now == null ? null : time(now, zone), ZonedDateTime.now(zone));
    String text;
    if (Files.isRegularFile(Path.of(source)) && !isModelFile(source)) {
      text = ChatTemplate.compile(Files.readString(Path.of(source))).render(parsed);
    } else {
      text = ofModel(parsed);
    }
    surroundings.out().print(text);
    return Main.OK;
  }

  private static boolean isModelFile(String file) {
    return file.endsWith(".gguf") || file.endsWith(".safetensors");
  }

  private static ZonedDateTime time(String text, ZoneId zone) {
    try {
      return TemplateInput.parseTime(text, zone);
    } catch (TemplateException e) {
      throw new UsageException("--now: " + e.getMessage());
    }
  }

  private static Json read(Path file) throws IOException {
    try {
      return Json.parse(Files.readString(file));
    } catch (JsonException e) {
      throw new FailureException("'" + file + "' is no JSON: " + e.getMessage(), e);
    }
  }

  /// The model's own template, with the model's special tokens where the case names none.
  private String ofModel(TemplateInput parsed) {
    Tokenizer tokenizer = ModelTokenizer.open(source, surroundings);
    String template = tokenizer.chatTemplate();
    if (template == null) {
      throw new FailureException("the model '" + source + "' has no chat template");
    }
    Map<String, String> tokens = new HashMap<>(tokenizer.specialTokens());
    tokens.putAll(parsed.specialTokens());
    return ChatTemplate.compile(template)
        .render(
            new TemplateInput(
                parsed.messages(),
                parsed.tools(),
                parsed.addGenerationPrompt(),
                tokens,
                parsed.extra(),
                parsed.now()));
  }
}
