package io.kvasir.compute;

import io.kvasir.compute.quant.TensorType;

/// A weight matrix used where its tensor lies.
public record HostWeight(Tensor tensor, int rows, int columns) implements Weight {

  /// @throws IllegalArgumentException where a dimension exceeds an `int`
  public static HostWeight of(Tensor tensor) {
    if (tensor.rows() > Integer.MAX_VALUE || tensor.columns() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(tensor + " is too large for a matrix");
    }
    return new HostWeight(tensor, (int) tensor.rows(), (int) tensor.columns());
  }

  @Override
  public String name() {
    return tensor.name();
  }

  @Override
  public TensorType type() {
    return tensor.type();
  }
}
