package io.kvasir.model;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/// An open model, ready to run on one backend: the mapped file, the weights rearranged for it, and
/// the transformer over them.
///
/// Owns the file mapping; close it after the last pass.
public final class Model implements AutoCloseable {
  private final ModelSource source;
  private final Arena arena;
  private final Transformer transformer;

  private Model(ModelSource source, Arena arena, Transformer transformer) {
    this.source = source;
    this.arena = arena;
    this.transformer = transformer;
  }

  /// Opens a GGUF file or a Hugging Face folder.
  ///
  /// @param contextLimit positions that will be used at most; 0 for the model's own limit
  /// @throws io.kvasir.model.file.ModelFormatException where the file is missing, broken or does
  ///   not hold what its configuration promises
  /// @throws UnsupportedModelException where Kvasir does not run the architecture
  public static Model open(Path path, Backend backend, Transformer.Rows rows, int contextLimit) {
    ModelSource source = ModelSource.open(path, contextLimit);
    Arena arena = Arena.ofShared();
    try {
      RoleTensors tensors = RoleTensors.of(source.weights(), source.family(), source.isGguf());
      WeightLoader loader = new WeightLoader(backend, tensors, source, source.model(), arena);
      Transformer transformer = new Transformer(source.model(), loader, source, backend, rows);
      return new Model(source, arena, transformer);
    } catch (RuntimeException e) {
      arena.close();
      source.close();
      throw ModelSource.told(path, e);
    } catch (Error e) {
      arena.close();
      source.close();
      throw e;
    }
  }

  public Path path() {
    return source.path();
  }

  public ModelConfig config() {
    return source.model();
  }

  public Transformer transformer() {
    return transformer;
  }

  /// Bytes of all weights as the file stores them.
  public long weightBytes() {
    long bytes = 0;
    for (Tensor tensor : source.tensors().tensors()) {
      bytes += tensor.data().byteSize();
    }
    return bytes;
  }

  @Override
  public void close() {
    arena.close();
    source.close();
  }
}
