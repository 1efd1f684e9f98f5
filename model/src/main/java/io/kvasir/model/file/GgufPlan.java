package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a GGUF file is to be made of: metadata, and tensors under their GGUF names.
///
/// From a GGUF file the plan is that file ([#of]). From a Hugging Face folder somebody who knows
/// the architecture makes it: names, the metadata of hyper-parameters and tokenizer, and rows that
/// are put together or in another order than the folder has them.
public interface GgufPlan {

  /// The metadata of the new file, without what the [Quantizer] sets.
  Map<String, GgufValue> metadata();

  /// The tensors of the new file, in order.
  List<Part> tensors();

  /// A tensor of the new file.
  ///
  /// @param name its GGUF name
  /// @param type the number format in which it is stored now; where the file to write has it too,
  ///   the bytes are copied
  /// @param shape outermost dimension first
  /// @param storedBytes the bytes that it takes now
  /// @param pieces what it consists of, row after row
  @SuppressWarnings("ArrayRecordComponent") // short-lived, never compared
  record Part(String name, TensorType type, long[] shape, long storedBytes, List<Piece> pieces) {

    public Part {
      pieces = List.copyOf(pieces);
    }

    /// `tensor` as it is.
    public static Part of(Tensor tensor) {
      return new Part(
          tensor.name(),
          tensor.type(),
          tensor.shape(),
          tensor.data().byteSize(),
          List.of(arena -> tensor));
    }

    /// `weight` under another name.
    public static Part of(String name, StoredWeight weight) {
      return new Part(
          name,
          weight.type(),
          weight.shape(),
          weight.storedBytes(),
          List.of(arena -> weight.assembled(arena)));
    }
  }

  /// Some rows of a tensor, made when they are written and forgotten after, so that a model larger
  /// than memory can be converted; a stack of experts has one for each.
  @FunctionalInterface
  interface Piece {
    /// The rows in the number format of the part.
    ///
    /// @param arena memory for what has to be put together; it lives until the rows are written
    Tensor make(Arena arena);
  }

  /// The plan that copies an open GGUF file, made one where it is split.
  static GgufPlan of(GgufFile model) {
    Map<String, GgufValue> metadata = new LinkedHashMap<>(model.metadata().values());
    metadata.keySet().removeIf(key -> key.startsWith("split."));
    List<Part> parts = new ArrayList<>();
    for (Tensor tensor : model.tensors()) {
      parts.add(Part.of(tensor));
    }
    return of(metadata, parts);
  }

  /// A plan of these parts.
  static GgufPlan of(Map<String, GgufValue> metadata, List<Part> tensors) {
    record Parts(Map<String, GgufValue> metadata, List<Part> tensors) implements GgufPlan {}
    return new Parts(Collections.unmodifiableMap(metadata), List.copyOf(tensors));
  }
}
