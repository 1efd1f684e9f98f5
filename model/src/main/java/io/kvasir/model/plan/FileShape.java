package io.kvasir.model.plan;

import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/// Reads a [ModelShape] from what lies on disk: a GGUF file, a Hugging Face folder or a bare
/// `config.json`. No weight is read.
public final class FileShape {
  private static final long MAX_CONFIG_BYTES = 16L << 20;

  private FileShape() {}

  /// @throws ModelFormatException where the file is none of these or lacks a size
  public static ModelShape read(Path path) {
    String name = path.toString().toLowerCase(Locale.ROOT);
    if (Files.isDirectory(path)) {
      ModelShape shape = config(path.resolve("config.json"));
      long stored = weightFileBytes(path);
      return stored > 0 ? shape.withStoredBytes(stored) : shape;
    }
    if (name.endsWith(".json")) {
      return config(path);
    }
    try (GgufFile file = GgufFile.open(path)) {
      return GgufShape.read(file);
    }
  }

  private static ModelShape config(Path file) {
    try {
      if (!Files.isRegularFile(file)) {
        throw new ModelFormatException("there is no configuration '" + file + "'");
      }
      if (Files.size(file) > MAX_CONFIG_BYTES) {
        throw new ModelFormatException("'" + file + "' is too large for a configuration");
      }
      return ConfigShape.read(Json.parse(Files.readString(file)));
    } catch (JsonException e) {
      throw new ModelFormatException("'" + file + "' is " + e.getMessage(), e);
    } catch (IOException e) {
      throw new ModelFormatException("cannot read '" + file + "': " + e.getMessage(), e);
    }
  }

  /// Bytes of the folder's safetensors files, headers included.
  private static long weightFileBytes(Path folder) {
    long bytes = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "model*.safetensors")) {
      for (Path file : files) {
        bytes += Files.size(file);
      }
      return bytes;
    } catch (IOException e) {
      throw new ModelFormatException("cannot read '" + folder + "': " + e.getMessage(), e);
    }
  }
}
