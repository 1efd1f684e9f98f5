package io.kvasir.model;

/// Routing of a mixture of experts; see [io.kvasir.compute.Routing] for the formulas.
public record MoeConfig(
    int experts,
    int expertsPerToken,
    boolean sigmoid,
    int groups,
    int keptGroups,
    int groupTop,
    boolean normalize,
    float scale,
    float mixerRange,
    boolean weighsInput) {

  /// Plain scores that weigh outputs.
  public MoeConfig(
      int experts,
      int expertsPerToken,
      boolean sigmoid,
      int groups,
      int keptGroups,
      int groupTop,
      boolean normalize,
      float scale) {
    this(
        experts,
        expertsPerToken,
        sigmoid,
        groups,
        keptGroups,
        groupTop,
        normalize,
        scale,
        0,
        false);
  }

  public MoeConfig {
    if (experts <= 0 || expertsPerToken <= 0 || expertsPerToken > experts) {
      throw new IllegalArgumentException(
          "impossible mixture: %d of %d experts per token".formatted(expertsPerToken, experts));
    }
  }
}
