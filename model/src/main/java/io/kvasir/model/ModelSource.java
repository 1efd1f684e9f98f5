package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.file.TensorSource;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// An open model on disk: its configuration in Hugging Face's keys, its family and its tensors.
///
/// @param path the file or folder
/// @param config `config.json`, or the same keys made from GGUF metadata
/// @param isGguf whether tensors carry GGUF's names and conventions
/// @param groupedQkv how a fused query-key-value weight lies; see [Family.Files]
record ModelSource(
    Path path,
    Json config,
    Family family,
    TensorSource tensors,
    boolean isGguf,
    boolean groupedQkv,
    ModelConfig model)
    implements AutoCloseable {

  /// Opens a GGUF file or a Hugging Face folder.
  ///
  /// @param contextLimit positions that will be used at most; 0 for the model's own limit
  /// @throws ModelFormatException where the file is not a model
  /// @throws UnsupportedModelException where it is one that Kvasir does not run
  static ModelSource open(Path path, int contextLimit) {
    if (!Files.exists(path)) {
      throw new ModelFormatException(
          "there is no file or folder '%s'; name a GGUF file or a Hugging Face folder"
              .formatted(path));
    }
    if (Files.isDirectory(path)) {
      Json config = readConfig(path);
      return finish(path, config, TensorSource.open(path), false, contextLimit);
    }
    if (path.toString().endsWith(".safetensors")) {
      Path folder = path.toAbsolutePath().getParent();
      return open(folder == null ? path : folder, contextLimit);
    }
    GgufFile file = GgufFile.open(path);
    Json config;
    try {
      config = GgufConfig.read(file);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
    return finish(path, config, file, true, contextLimit);
  }

  private static ModelSource finish(
      Path path, Json config, TensorSource tensors, boolean gguf, int contextLimit) {
    try {
      Family family = Families.named(architecture(config, path));
      ModelDraft draft = new ModelDraft(config, family, gguf, contextLimit);
      ModelConfig model = draft.build();
      return new ModelSource(path, config, family, tensors, gguf, draft.groupedQkv, model);
    } catch (RuntimeException e) {
      tensors.close();
      throw told(path, e);
    }
  }

  /// What a user is told of a configuration that is impossible, or does not fit the weights.
  static RuntimeException told(Path path, RuntimeException e) {
    boolean impossible =
        e instanceof JsonException
            || e instanceof IllegalArgumentException
            || e instanceof IndexOutOfBoundsException
            || e instanceof ArithmeticException;
    if (!impossible
        || e instanceof ModelFormatException
        || e instanceof UnsupportedModelException) {
      return e;
    }
    return new ModelFormatException(
        "the configuration of '%s' is not usable: %s".formatted(path, e.getMessage()), e);
  }

  static Json readConfig(Path folder) {
    Path file = folder.resolve("config.json");
    if (!Files.exists(file)) {
      throw new ModelFormatException(
          "the folder '%s' has no config.json; name a Hugging Face model folder or a GGUF file"
              .formatted(folder));
    }
    try {
      return flattened(Json.parse(Files.readString(file)));
    } catch (IOException e) {
      throw new ModelFormatException("cannot read '%s': %s".formatted(file, e.getMessage()), e);
    } catch (JsonException e) {
      throw new ModelFormatException("'%s' is %s".formatted(file, e.getMessage()), e);
    }
  }

  /// Models with several parts describe their language model under a key of its own.
  static Json flattened(Json config) {
    for (String key : new String[] {"text_config", "llm_config", "language_config"}) {
      if (config.has(key)) {
        Json text = config.get(key);
        Map<String, Json> merged = new LinkedHashMap<>(text.asMap());
        if (config.has("tie_word_embeddings")) {
          merged.putIfAbsent("tie_word_embeddings", config.get("tie_word_embeddings"));
        }
        merged.putIfAbsent("model_type", config.get("model_type"));
        return new Json.Obj(merged);
      }
    }
    return config;
  }

  /// The tensors, with what a GGUF file keeps as metadata instead.
  List<Tensor> weights() {
    if (!(tensors instanceof GgufFile file) || !family.name().equals("apertus")) {
      return tensors.tensors();
    }
    List<Tensor> all = new ArrayList<>(tensors.tensors());
    all.addAll(GgufXielu.tensors(file));
    return all;
  }

  private static String architecture(Json config, Path path) {
    String type = config.stringOr("model_type", null);
    if (type == null) {
      throw new ModelFormatException(
          "the configuration of '%s' does not say its 'model_type'".formatted(path));
    }
    return type;
  }

  @Override
  public void close() {
    tensors.close();
  }
}
