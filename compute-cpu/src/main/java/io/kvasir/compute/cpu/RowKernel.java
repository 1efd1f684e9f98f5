package io.kvasir.compute.cpu;

/// Multiplies one row of activations with consecutive rows of weights of one number format, read
/// where they lie.
///
/// Kernels decode a weight to f32 exactly as its `WeightCodec` does and sum in the order of
/// [Lanes], so their results equal to the bit those of decoding first and using a [DotTile].
///
/// A group of weight rows has one accumulator each and shares the loads of `x`. While a group is
/// computed, one byte of each cache line of the next group is read ("touched"): the processor's own
/// prefetching follows one long stream well and four short ones badly, and Java has no prefetch.
interface RowKernel {

  /// Floats of scratch memory that a kernel needs.
  int SCRATCH = 4 * Lanes.L + 16 + 64;

  /// Weight rows in a group.
  int groupSize();

  /// The lane sums of outputs `first ..` of row `row`, output `i` of the group at `lanes[i * L]`.
  /// Outputs after `last` repeat it.
  ///
  /// @param lanes at least [#SCRATCH] floats: sums, the sum of touched bytes, the kernel's own
  void group(Product p, int row, int first, int last, float[] lanes);

  /// `out[o] = sum over k of W[o, k] x[k] + b[o]` for outputs `from .. to - 1` of row `row`.
  default void multiply(Product p, int row, int from, int to, float[] lanes) {
    int size = groupSize();
    int outAt = p.outAt + row * p.outStride;
    int end = Lanes.F.loopBound(p.columns);
    for (int o = from; o < to; o += size) {
      group(p, row, o, to - 1, lanes);
      for (int i = 0; i < Math.min(size, to - o); i++) {
        float sum = Lanes.sum(lanes, i * Lanes.L);
        if (end < p.columns) {
          sum = PlainTail.add(p, row, o + i, end, sum);
        }
        p.out[outAt + o + i] = sum + p.biasOf(o + i);
      }
    }
  }
}
