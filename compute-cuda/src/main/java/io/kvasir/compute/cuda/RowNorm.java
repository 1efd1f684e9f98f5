package io.kvasir.compute.cuda;

import io.kvasir.compute.Buffer;
import io.kvasir.compute.Norm;
import org.jspecify.annotations.Nullable;

/// An RMS norm over whole rows that was asked for and that the product behind it may take on its
/// way.
///
/// @param weight device address of a factor for each column
record RowNorm(Norm norm, CudaBuffer in, CudaBuffer out, int rows, long weight) {

  /// The norm in this form; null where it has another: a bias, groups, no factors, a place.
  static @Nullable RowNorm of(Norm norm, CudaBuffer in, CudaBuffer out, int rows) {
    Buffer weight = norm.weight();
    if (norm.kind() != Norm.Kind.RMS
        || norm.bias() != null
        || weight == null
        || weight.columns() != norm.width()
        || in.columns() != norm.width()
        || out.columns() != norm.width()
        || in.pointer() == out.pointer()) {
      return null;
    }
    return new RowNorm(norm, in, out, rows, CudaBuffer.pointer(weight));
  }
}
