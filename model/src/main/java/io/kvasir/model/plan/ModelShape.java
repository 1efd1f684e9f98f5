package io.kvasir.model.plan;

import io.kvasir.compute.quant.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the planner needs to know of a model.
///
/// @param architecture the family's name
/// @param contextLength positions the model was made for; 0 where unknown
/// @param kv what the layers keep of a sequence
/// @param weights parameters by part; unmodifiable
/// @param weightType format in which the weights are published
/// @param storedBytes bytes of the weights on disk where files are there; null for a bare
///   configuration
public record ModelShape(
    String architecture,
    long contextLength,
    KvShape kv,
    List<WeightRole> weights,
    TensorType weightType,
    @Nullable Long storedBytes) {

  public ModelShape {
    weights = List.copyOf(weights);
  }

  public long parameters() {
    long sum = 0;
    for (WeightRole role : weights) {
      sum += role.parameters();
    }
    return sum;
  }

  /// Parameters that take part in one token.
  public long activeParameters() {
    long sum = 0;
    for (WeightRole role : weights) {
      sum += role.active();
    }
    return sum;
  }

  /// Bytes of all weights in `type`. MXFP4 of a model with experts is for the experts alone, the
  /// rest stays bfloat16, as such models are published.
  public long weightBytes(TensorType type) {
    boolean expertsOnly = type == TensorType.MXFP4 && hasExperts();
    long sum = 0;
    for (WeightRole role : weights) {
      boolean plain = expertsOnly && !role.name().equals(WeightRole.EXPERTS);
      sum += role.bytes(plain ? TensorType.BF16 : type);
    }
    return sum;
  }

  private boolean hasExperts() {
    return weights.stream().anyMatch(role -> role.name().equals(WeightRole.EXPERTS));
  }

  /// The same model with files of `bytes` bytes.
  public ModelShape withStoredBytes(long bytes) {
    return new ModelShape(architecture, contextLength, kv, weights, weightType, bytes);
  }
}
