package io.kvasir.compute.cpu;

/// Multiplies one row of activations with consecutive rows of weights of one number format, read
/// where they lie.
///
/// Kernels decode a weight to f32 exactly as its `WeightCodec` does and sum in the order of
/// [Lanes], so their results equal to the bit those of decoding first and using a [DotTile].
interface RowKernel {

  /// `out[o] = sum over k of W[o, k] x[k] + b[o]` for outputs `from .. to - 1` of row `row`.
  ///
  /// @param lanes at least `4 L` floats of scratch memory
  void multiply(Product p, int row, int from, int to, float[] lanes);
}
