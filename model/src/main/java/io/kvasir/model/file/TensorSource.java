package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The tensors of a model on disk. They are windows into the mapped files and die with [#close].
///
/// Immutable while open; may be read by any number of threads at once.
public interface TensorSource extends AutoCloseable {

  /// Opens the weights of a model: a GGUF file, or a folder or file of safetensors with FP8 and
  /// MXFP4 weights assembled.
  ///
  /// @throws ModelFormatException where there is no model, or one that cannot be used
  static TensorSource open(Path path) {
    String name = path.toString();
    if (!Files.isDirectory(path) && !name.endsWith(".safetensors") && !name.endsWith(".json")) {
      return GgufFile.open(path);
    }
    SafetensorsFile stored = SafetensorsFile.open(path);
    try {
      return AssembledWeights.of(stored);
    } catch (ModelFormatException e) {
      stored.close();
      throw e;
    }
  }

  /// All tensors in file order; names are unique.
  List<Tensor> tensors();

  /// The tensor called `name`, null where there is none.
  @Nullable Tensor find(String name);

  /// The tensor called `name`.
  ///
  /// @throws ModelFormatException where the model has none
  Tensor get(String name);

  /// Unmaps the files; no tensor may be in use any more.
  @Override
  void close();
}
