package io.kvasir.compute.cuda;

import io.kvasir.compute.cuda.CudaProducts.Rows;

/// One matrix product, `out[r] = weight in[r] + bias`, of rows that others may share.
///
/// @param bias device address of one number for each output, 0 for none
record Product(CudaWeight weight, long bias, Rows out) {

  /// Whether one launch can compute this and another product of the same rows.
  boolean joins(Product other) {
    return weight.type() == other.weight.type()
        && weight.columns() == other.weight.columns()
        && weight.rowBytes() == other.weight.rowBytes();
  }
}
