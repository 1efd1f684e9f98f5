package io.kvasir.cli;

import io.kvasir.model.hub.HubCache;
import io.kvasir.model.hub.HubConfig;
import io.kvasir.model.hub.ModelName;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Where the model lies that MODEL on the command line means.
sealed interface ModelLocation {

  /// The file or folder.
  Path path();

  /// One GGUF file; of a split model, any part.
  record GgufModel(Path path) implements ModelLocation {}

  /// A folder in Hugging Face layout: it holds a `config.json`.
  record FolderModel(Path path) implements ModelLocation {}

  /// Finds a model.
  ///
  /// @param model a GGUF file, a Hugging Face folder, the name of a pulled model, or null for the
  ///   model that comes with the installation
  /// @throws FailureException where there is none
  static ModelLocation resolve(@Nullable String model, Surroundings surroundings) {
    if (model == null) {
      return theOnlyGguf(surroundings.home().resolve("models/kvasir-stories"));
    }
    Path path = Path.of(model);
    if (Files.isRegularFile(path)) {
      return ofFile(path);
    }
    if (Files.isDirectory(path)) {
      return Files.isRegularFile(path.resolve("config.json"))
          ? new FolderModel(path)
          : theOnlyGguf(path);
    }
    return ofPulled(model, surroundings);
  }

  private static ModelLocation ofPulled(String model, Surroundings surroundings) {
    if (!ModelName.looksLike(model)) {
      throw new FailureException(
          "there is no model '"
              + model
              + "'; give a GGUF file, a Hugging Face folder with a config.json, or the name of a"
              + " pulled model such as owner/repo");
    }
    HubConfig config = HubSettings.of(surroundings.environment());
    Path pulled =
        new HubCache(config.cacheFolder())
            .find(ModelName.parse(model))
            .orElseThrow(() ->
                new FailureException(
                    "there is no file or folder '%s', nor was a model of that name pulled; get it with ./kvasir pull %s"
                        .formatted(model, model)));
    return Files.isDirectory(pulled) ? new FolderModel(pulled) : new GgufModel(pulled);
  }

  private static ModelLocation ofFile(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    boolean partOfFolder = name.endsWith(".safetensors") || name.equals("config.json");
    if (partOfFolder && parent != null && Files.isRegularFile(parent.resolve("config.json"))) {
      return new FolderModel(parent);
    }
    if (partOfFolder) {
      throw new FailureException(
          "the model '" + file + "' has no config.json beside it; give the folder that has both");
    }
    return new GgufModel(file);
  }

  private static ModelLocation theOnlyGguf(Path folder) {
    List<String> found = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.gguf")) {
      for (Path file : files) {
        found.add(file.getFileName().toString());
      }
    } catch (IOException e) {
      throw new FailureException("cannot read the model folder '" + folder + "'", e);
    }
    if (found.size() == 1) {
      return new GgufModel(folder.resolve(found.getFirst()));
    }
    throw new FailureException(
        found.isEmpty()
            ? "the folder '"
                + folder
                + "' holds no model: a Hugging Face folder has a config.json, and there is no"
                + " GGUF file either"
            : "the folder '"
                + folder
                + "' holds several GGUF files, name one of them: "
                + String.join(", ", found.stream().sorted().toList()));
  }
}
