package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The tensors of a model on disk. They are windows into the mapped files and die with [#close].
///
/// Immutable while open; may be read by any number of threads at once.
public interface TensorSource extends AutoCloseable {

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
