package io.kvasir.compute.cpu;

import io.kvasir.compute.HostWeight;
import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Weight;
import io.kvasir.compute.quant.TensorType;

/// A matrix that a [MatrixProvider] multiplies, whatever the number of rows; its rows can still be
/// read from the file, as embeddings are.
record ProvidedWeight(HostWeight host, MatrixProvider.Packed packed) implements Weight {

  @Override
  public String name() {
    return host.name();
  }

  @Override
  public TensorType type() {
    return host.type();
  }

  @Override
  public int rows() {
    return host.rows();
  }

  @Override
  public int columns() {
    return host.columns();
  }
}
