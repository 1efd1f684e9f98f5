package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Assumptions;

/// Test data.
final class Resources {
  private Resources() {}

  static List<Json> lines(String name) {
    try (InputStream in = Objects.requireNonNull(Resources.class.getResourceAsStream(name))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(Json::parse)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The tokenizer of the default model.
  static Tokenizer defaultTokenizer() {
    Path root = Path.of(System.getProperty("kvasir.root", ".."));
    Path folder = root.resolve("../shared/models/kvasir-stories");
    Assumptions.assumeTrue(
        Files.exists(folder.resolve("tokenizer.json")), "[no-reference-data] " + folder);
    return Tokenizer.fromFolder(folder);
  }
}
