package io.kvasir.cli;

import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.tokenizer.Tokenizer;
import io.kvasir.model.tokenizer.TokenizerMetadata;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Opens the tokenizer of a model without its weights.
final class ModelTokenizer {
  private ModelTokenizer() {}

  /// The tokenizer of what MODEL means; a folder needs only its `tokenizer.json`.
  static Tokenizer open(@Nullable String model, Surroundings surroundings) {
    if (model != null && Files.isRegularFile(Path.of(model).resolve("tokenizer.json"))) {
      return Tokenizer.fromFolder(Path.of(model));
    }
    return switch (ModelLocation.resolve(model, surroundings)) {
      case ModelLocation.FolderModel(Path folder) -> Tokenizer.fromFolder(folder);
      case ModelLocation.GgufModel(Path file) -> {
        try (GgufFile gguf = GgufFile.open(file)) {
          yield Tokenizer.fromGguf(new Metadata(gguf.metadata()));
        }
      }
    };
  }

  /// What a tokenizer asks of the metadata of a GGUF file.
  private record Metadata(GgufMetadata gguf) implements TokenizerMetadata {
    @Override
    public @Nullable String string(String key) {
      return gguf.string(key);
    }

    @Override
    public long integer(String key, long fallback) {
      return gguf.longOr(key, fallback);
    }

    @Override
    public boolean bool(String key, boolean fallback) {
      return gguf.booleanOr(key, fallback);
    }

    @Override
    public @Nullable List<String> strings(String key) {
      return gguf.strings(key);
    }

    @Override
    public float @Nullable [] floats(String key) {
      return gguf.floats(key);
    }

    @Override
    public int @Nullable [] ints(String key) {
      return gguf.ints(key);
    }
  }
}
