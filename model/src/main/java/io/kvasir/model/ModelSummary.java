package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/// What a model file tells without a weight being read.
///
/// @param weights by number format, largest first
public record ModelSummary(Path path, ModelConfig config, List<WeightShare> weights) {

  /// All weights of one number format.
  ///
  /// @param matrix elements of tensors with two dimensions or more
  /// @param experts of these, elements that belong to routed experts
  /// @param vector elements of the others
  public record WeightShare(
      TensorType type, int tensors, long matrix, long experts, long vector, long bytes) {

    private WeightShare with(Tensor tensor) {
      boolean isMatrix = tensor.dimensions() > 1;
      boolean isExpert = isMatrix && tensor.name().matches(".*(_exps|\\.experts)\\..*");
      return new WeightShare(
          type,
          tensors + 1,
          matrix + (isMatrix ? tensor.elements() : 0),
          experts + (isExpert ? tensor.elements() : 0),
          vector + (isMatrix ? 0 : tensor.elements()),
          bytes + tensor.data().byteSize());
    }
  }

  public ModelSummary {
    weights = List.copyOf(weights);
  }

  /// Reads the header of a GGUF file or of a Hugging Face folder.
  ///
  /// @throws io.kvasir.model.file.ModelFormatException where the file is not a model
  /// @throws UnsupportedModelException where it is one that Kvasir does not run
  public static ModelSummary read(Path path) {
    try (ModelSource source = ModelSource.open(path, 0)) {
      Map<TensorType, WeightShare> shares = new EnumMap<>(TensorType.class);
      for (Tensor tensor : source.tensors().tensors()) {
        WeightShare none = new WeightShare(tensor.type(), 0, 0, 0, 0, 0);
        shares.put(tensor.type(), shares.getOrDefault(tensor.type(), none).with(tensor));
      }
      List<WeightShare> weights = new ArrayList<>(shares.values());
      weights.sort((a, b) -> Long.compare(b.bytes(), a.bytes()));
      return new ModelSummary(path, source.model(), weights);
    }
  }

  public long parameters() {
    long sum = 0;
    for (WeightShare share : weights) {
      sum += share.matrix() + share.vector();
    }
    return sum;
  }

  /// Bytes of all weights as the file stores them.
  public long storedBytes() {
    long sum = 0;
    for (WeightShare share : weights) {
      sum += share.bytes();
    }
    return sum;
  }
}
