package io.kvasir.model;

/// Routing of a mixture of experts; see [io.kvasir.compute.Routing] for the formula.
public record MoeConfig(
    int experts,
    int expertsPerToken,
    boolean sigmoid,
    int groups,
    int keptGroups,
    int groupTop,
    boolean normalize,
    float scale) {

  public MoeConfig {
    if (experts <= 0 || expertsPerToken <= 0 || expertsPerToken > experts) {
      throw new IllegalArgumentException(
          "impossible mixture: %d of %d experts per token".formatted(expertsPerToken, experts));
    }
  }
}
