package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// How a mixture of experts picks and weighs its experts for a row.
///
/// Scores are `softmax` or `sigmoid` of the router's logits. Selection adds `selectionBias` to the
/// scores (DeepSeek-V3, arXiv 2412.19437), keeps the experts of the best `keptGroups` of `groups`
/// groups, and takes the `expertsPerRow` highest, lower number first on ties. Weights are the
/// scores without the bias, divided by their sum where `normalize`, times `scale`.
///
/// SparseMixer (arXiv 2409.12136) picks one after the other instead, and weighs each by a softmax
/// of its own over the experts not yet picked whose logit `l` is close to the best, `m`: `(m - l) /
/// max(|l|, m) <= mixerRange`.
///
/// @param groupTop how many of a group's best scores are summed to rank it (1 in DeepSeek-V2, 2 in
///   V3)
/// @param mixerRange see above; 0 for plain scores
/// @param weighsInput whether weights are factors of the experts' inputs rather than of their
///   outputs (Llama 4)
public record Routing(
    int expertsPerRow,
    boolean sigmoid,
    @Nullable Buffer selectionBias,
    @Nullable Buffer expertScale,
    int groups,
    int keptGroups,
    int groupTop,
    boolean normalize,
    float scale,
    float mixerRange,
    boolean weighsInput) {

  /// Plain scores that weigh outputs.
  public Routing(
      int expertsPerRow,
      boolean sigmoid,
      @Nullable Buffer selectionBias,
      @Nullable Buffer expertScale,
      int groups,
      int keptGroups,
      int groupTop,
      boolean normalize,
      float scale) {
    this(
        expertsPerRow,
        sigmoid,
        selectionBias,
        expertScale,
        groups,
        keptGroups,
        groupTop,
        normalize,
        scale,
        0,
        false);
  }

  public Routing {
    if (expertsPerRow <= 0 || groups <= 0 || keptGroups <= 0 || keptGroups > groups) {
      throw new IllegalArgumentException(
          "impossible routing: %d experts per row, %d of %d groups"
              .formatted(expertsPerRow, keptGroups, groups));
    }
  }

  /// @throws IllegalArgumentException where so many experts are too few, or no whole groups
  public void check(int experts) {
    if (experts % groups != 0 || expertsPerRow > experts) {
      throw new IllegalArgumentException(
          "cannot pick %d of %d experts in %d groups".formatted(expertsPerRow, experts, groups));
    }
  }
}
