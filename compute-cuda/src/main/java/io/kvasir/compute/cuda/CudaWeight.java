package io.kvasir.compute.cuda;

import io.kvasir.compute.Weight;
import io.kvasir.compute.quant.TensorType;

/// A weight matrix in the memory of the device.
///
/// @param pointer device address of the rows, one after the other
/// @param type of the rows on the device; what no kernel reads is expanded to f32 on the way there
/// @param rowBytes from one row to the next
record CudaWeight(String name, TensorType type, int rows, int columns, long pointer, long rowBytes)
    implements Weight {

  static CudaWeight of(Weight weight) {
    return (CudaWeight) weight;
  }
}
