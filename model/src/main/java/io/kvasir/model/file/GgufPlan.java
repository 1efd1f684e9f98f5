package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

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
  /// @param type the number format in which it is stored now; only for reports and to copy what
  ///   need not be changed
  /// @param shape outermost dimension first
  /// @param storedBytes the bytes that it takes now
  /// @param rows its rows, all outer dimensions counted as one
  /// @param whole the same values as a tensor, which is copied as it is where the format stays;
  ///   null where there is none
  @SuppressWarnings("ArrayRecordComponent") // short-lived, never compared
  record Part(
      String name,
      TensorType type,
      long[] shape,
      long storedBytes,
      Rows rows,
      @Nullable Tensor whole) {

    /// `tensor` as it is.
    public static Part of(Tensor tensor) {
      return new Part(
          tensor.name(),
          tensor.type(),
          tensor.shape(),
          tensor.data().byteSize(),
          (row, target) -> tensor.decodeRow(row, target, 0),
          tensor);
    }

    /// `weight` under another name.
    public static Part of(String name, StoredWeight weight) {
      return new Part(
          name,
          weight.type(),
          weight.shape(),
          weight.storedBytes(),
          weight::decodeRow,
          weight instanceof StoredWeight.Whole(Tensor tensor) ? tensor : null);
    }
  }

  /// Where the values of a tensor come from.
  @FunctionalInterface
  interface Rows {
    /// Decodes row `row` into `target`, which has a row's length.
    void decode(long row, float[] target);
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
