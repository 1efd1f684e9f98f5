package io.kvasir.model.plan;

import io.kvasir.compute.quant.TensorType;

/// The parameters of one part of a model.
///
/// @param name the part, such as `attention`
/// @param matrix parameters in matrices, which are stored in the chosen format
/// @param vector parameters in norms and biases, which block formats leave as f32
/// @param active of them, how many take part in one token; fewer only where experts are chosen
public record WeightRole(String name, long matrix, long vector, long active) {

  /// The part that mixture-of-experts models choose from.
  static final String EXPERTS = "experts";

  public WeightRole {
    if (matrix < 0 || vector < 0 || active < 0 || active > matrix + vector) {
      throw new IllegalArgumentException(
          "impossible parameter counts of %s: %d in matrices, %d in vectors, %d active"
              .formatted(name, matrix, vector, active));
    }
  }

  public long parameters() {
    return matrix + vector;
  }

  /// Bytes in `type`.
  public long bytes(TensorType type) {
    double perWeight = (double) type.blockBytes() / type.blockElements();
    double perVector = type.blockElements() == 1 ? perWeight : Float.BYTES;
    return Math.round(matrix * perWeight + vector * perVector);
  }
}
