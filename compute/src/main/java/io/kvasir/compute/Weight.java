package io.kvasir.compute;

import io.kvasir.compute.quant.TensorType;

/// A weight matrix `[rows, columns]` = `[out, in]` made ready by a [Backend]: used in place in the
/// mapped file on the processor, uploaded on a device.
public interface Weight {
  String name();

  TensorType type();

  int rows();

  int columns();
}
