package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// A normalization of consecutive groups of `width` elements of a row.
///
/// - [Kind#RMS]: `y = x / sqrt(mean(x^2) + eps) * w` (Zhang & Sennrich, arXiv 1910.07467)
/// - [Kind#LAYER]: `y = (x - mean) / sqrt(var + eps) * w + b` (Ba et al., arXiv 1607.06450)
///
/// @param weight one factor per element of a group, or per element of the whole row where heads
///   have factors of their own; null for 1
/// @param bias like `weight`, or null for 0
/// @param width elements that share a mean; a row is a whole number of groups
public record Norm(
    Kind kind, @Nullable Buffer weight, @Nullable Buffer bias, float epsilon, int width) {

  /// Which statistic is divided out.
  public enum Kind {
    RMS,
    LAYER
  }

  public Norm {
    if (width <= 0) {
      throw new IllegalArgumentException("normalization over " + width + " elements");
    }
  }
}
