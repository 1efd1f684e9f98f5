package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/// Finds the files that belong to a tokenizer in a Hugging Face folder.
final class TokenizerFolder {
  /// Larger than any real file of these kinds.
  private static final long MAX_BYTES = 1L << 28;

  private TokenizerFolder() {}

  static Tokenizer read(Path folder) {
    Path tokenizer = folder.resolve("tokenizer.json");
    if (!Files.isRegularFile(tokenizer)) {
      throw new ModelFormatException(
          "there is no tokenizer.json in " + folder + "; only fast tokenizers can be read");
    }
    Json config = withSpecialTokens(folder);
    JsonTokenizerReader reader = new JsonTokenizerReader(json(tokenizer), config);
    Json ends = optionalJson(folder.resolve("generation_config.json")).get("eos_token_id");
    if (ends instanceof Json.Int) {
      reader.addGenerationEnd(ends.asInt());
    } else if (ends instanceof Json.Arr(var ids)) {
      ids.forEach(id -> reader.addGenerationEnd(id.asInt()));
    }
    addTemplates(folder, reader);
    return reader.read();
  }

  /// `tokenizer_config.json`, completed by what only `special_tokens_map.json` says.
  private static Json withSpecialTokens(Path folder) {
    Json config = optionalJson(folder.resolve("tokenizer_config.json"));
    Json map = optionalJson(folder.resolve("special_tokens_map.json"));
    if (!(map instanceof Json.Obj(Map<String, Json> extra)) || extra.isEmpty()) {
      return config;
    }
    Map<String, Json> fields = new LinkedHashMap<>(extra);
    fields.putAll(config.asMap());
    return new Json.Obj(fields);
  }

  private static void addTemplates(Path folder, JsonTokenizerReader reader) {
    Json separate = optionalJson(folder.resolve("chat_template.json")).get("chat_template");
    if (separate instanceof Json.Str(String source)) {
      reader.addTemplate("default", source);
    }
    Path jinja = folder.resolve("chat_template.jinja");
    if (Files.isRegularFile(jinja)) {
      reader.addTemplate("default", text(jinja));
    }
    Path more = folder.resolve("additional_chat_templates");
    if (!Files.isDirectory(more)) {
      return;
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(more, "*.jinja")) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        reader.addTemplate(name.substring(0, name.length() - ".jinja".length()), text(file));
      }
    } catch (IOException e) {
      throw new ModelFormatException("cannot list " + more + ": " + e.getMessage(), e);
    }
  }

  private static Json optionalJson(Path file) {
    return Files.isRegularFile(file) ? json(file) : Json.Null.NULL;
  }

  private static Json json(Path file) {
    try {
      return Json.parse(text(file));
    } catch (JsonException e) {
      throw new ModelFormatException(file + " is " + e.getMessage(), e);
    }
  }

  private static String text(Path file) {
    try {
      long bytes = Files.size(file);
      if (bytes > MAX_BYTES) {
        throw new ModelFormatException(
            file + " has " + bytes + " bytes, which is more than such a file can have");
      }
      return Files.readString(file);
    } catch (IOException e) {
      throw new ModelFormatException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }
}
