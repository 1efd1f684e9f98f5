package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// An affine map `y = W x + b`.
///
/// @param weight `[out, in]`
/// @param bias `[1, out]`, or null for none
public record Linear(Weight weight, @Nullable Buffer bias) {

  public Linear {
    if (bias != null && bias.columns() != weight.rows()) {
      throw new IllegalArgumentException(
          "bias of %d elements for '%s' with %d outputs"
              .formatted(bias.columns(), weight.name(), weight.rows()));
    }
  }

  public int inputs() {
    return weight.columns();
  }

  public int outputs() {
    return weight.rows();
  }
}
