package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a model file tells without a weight being read.
///
/// @param weights by number format, largest first
/// @param tokenBytes bytes of weights that the pass of one token reads: all but the other rows of
///   embedding tables and the experts that are not chosen
public record ModelSummary(
    Path path, ModelConfig config, List<WeightShare> weights, long tokenBytes) {

  private static final Set<String> TABLES = Set.of("token_embd", "position_embd");

  /// All weights of one number format.
  ///
  /// @param matrix elements of tensors with two dimensions or more
  /// @param experts of these, elements that belong to routed experts
  /// @param vector elements of the others
  public record WeightShare(
      TensorType type, int tensors, long matrix, long experts, long vector, long bytes) {

    private WeightShare with(Tensor tensor) {
      boolean isMatrix = tensor.dimensions() > 1;
      boolean isExpert = isMatrix && isExpert(tensor);
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

  private static boolean isExpert(Tensor tensor) {
    return tensor.name().matches(".*(_exps|\\.experts)\\..*");
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
      return new ModelSummary(path, source.model(), weights, tokenBytes(source));
    }
  }

  private static long tokenBytes(ModelSource source) {
    boolean tied = true;
    long tables = 0;
    long bytes = 0;
    for (Tensor tensor : source.tensors().tensors()) {
      String role = role(source, tensor);
      long size = tensor.data().byteSize();
      tied &= !role.equals("output");
      if (TABLES.contains(role)) {
        tables += role.equals("token_embd") ? size : 0;
      } else if (!role.equals("per_layer_token_embd")) {
        bytes += isExpert(tensor) ? chosen(size, source.model()) : size;
      }
    }
    return tied ? bytes + tables : bytes;
  }

  /// Bytes of experts that a token is sent to.
  private static long chosen(long bytes, ModelConfig model) {
    for (LayerConfig layer : model.layers()) {
      MoeConfig moe = layer.moe();
      if (moe != null) {
        return bytes * moe.expertsPerToken() / moe.experts();
      }
    }
    return bytes;
  }

  private static String role(ModelSource source, Tensor tensor) {
    String name = tensor.name();
    if (!source.isGguf()) {
      String role = TensorNames.role(name, source.family().files().names());
      name = role == null ? name : role;
    }
    return name.endsWith(".weight") ? name.substring(0, name.length() - 7) : name;
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
