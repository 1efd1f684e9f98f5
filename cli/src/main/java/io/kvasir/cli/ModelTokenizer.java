package io.kvasir.cli;

import io.kvasir.model.file.GgufFile;
import io.kvasir.model.tokenizer.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Opens the tokenizer of a model without its weights.
final class ModelTokenizer {
  private ModelTokenizer() {}

  /// The tokenizer of what MODEL means; a folder needs only its `tokenizer.json`.
  static Tokenizer open(@Nullable String model, Surroundings surroundings) {
    if (model != null && Files.isRegularFile(Path.of(model).resolve("tokenizer.json"))) {
      return Tokenizer.fromFolder(Path.of(model));
    }
    return open(ModelLocation.resolve(model, surroundings));
  }

  /// The tokenizer of a model.
  static Tokenizer open(ModelLocation location) {
    return switch (location) {
      case ModelLocation.FolderModel(Path folder) -> Tokenizer.fromFolder(folder);
      case ModelLocation.GgufModel(Path file) -> {
        try (GgufFile gguf = GgufFile.open(file)) {
          yield Tokenizer.fromGguf(gguf.metadata().forTokenizer());
        }
      }
    };
  }
}
