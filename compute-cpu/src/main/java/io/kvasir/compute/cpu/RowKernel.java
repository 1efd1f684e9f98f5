package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.L;

/// Multiplies rows of activations with rows of weights of one number format, read where they lie.
///
/// Kernels decode a weight to f32 exactly as its `WeightCodec` does and sum in the order of
/// [Lanes], so their results equal to the bit those of decoding first and using a [DotTile] or a
/// [PanelTile].
///
/// A group of weight rows has one accumulator each and shares the loads of `x`. The rows of a group
/// are far from each other, so that going from group to group each is a long stream of its own,
/// which the processor reads ahead; four rows side by side are four streams that end after a row
/// and are not. See [#stride].
interface RowKernel {
  /// Outputs whose lanes are summed together.
  int SUMS = 16;

  /// Where a kernel's own scratch memory starts: after the lane sums of two rows of `x`.
  int OWN = 2 * SUMS * L;

  /// Floats of scratch memory that a kernel needs.
  int SCRATCH = OWN + 64;

  /// Bytes after which the processor's reading ahead starts anew.
  int PAGE = 4096;

  /// Weight rows in a group: 2 or 4.
  int groupSize();

  /// The lane sums of outputs `first + i * stride` of row `row`, output `i` of the group at
  /// `lanes[to + i * L]`. Outputs after `last` are taken for it.
  ///
  /// @param lanes at least [#SCRATCH] floats
  void group(Product p, int row, int first, int stride, int last, float[] lanes, int to);

  /// `out[r, o] = sum over k of W[o, k] x[r, k] + b[o]` for outputs `from .. to - 1` of one or two
  /// rows.
  default void multiply(Product p, int from, int to, float[] lanes) {
    int size = groupSize();
    int step = SUMS / size;
    int stride = stride(p.rowBytes, (to - from) / size, step);
    for (int o = 0; o < stride; o += step) {
      for (int g = 0; g < step; g++) {
        for (int r = 0; r < p.rows; r++) {
          group(p, r, from + o + g, stride, p.outputs - 1, lanes, (r * SUMS + g * size) * L);
        }
      }
      for (int r = 0; r < p.rows; r++) {
        finish(p, r, from + o, stride, lanes);
      }
    }
    near(p, from + size * stride, to, lanes);
  }

  /// As [#multiply], for a few outputs side by side.
  private void near(Product p, int from, int to, float[] lanes) {
    int size = groupSize();
    for (int o = from; o < to; o += size) {
      for (int r = 0; r < p.rows; r++) {
        group(p, r, o, 1, to - 1, lanes, 0);
        for (int i = 0; i < Math.min(size, to - o); i++) {
          store(p, r, o + i, Lanes.sum(lanes, i * L));
        }
      }
    }
  }

  /// Sums the lanes of [#SUMS] outputs: of group `g` output `first + g + i * stride`.
  private void finish(Product p, int row, int first, int stride, float[] lanes) {
    int size = groupSize();
    int at = row * SUMS * L;
    if (L == SUMS) {
      PanelTile.sixteenSums(lanes, at, lanes, at);
    } else {
      for (int i = 0; i < SUMS; i++) {
        lanes[at + i] = Lanes.sum(lanes, at + i * L);
      }
    }
    for (int i = 0; i < SUMS; i++) {
      store(p, row, first + i / size + i % size * stride, lanes[at + i]);
    }
  }

  private static void store(Product p, int row, int output, float lanes) {
    int end = Lanes.F.loopBound(p.columns);
    float sum = end < p.columns ? PlainTail.add(p, row, output, end, lanes) : lanes;
    p.out[p.outAt + row * p.outStride + output] = sum + p.biasOf(output);
  }

  /// The distance of the rows of a group: at most `most`, a multiple of `step` not much smaller,
  /// and such that the streams do not reach the end of a page at the same time, nor lie in the same
  /// lines of the cache.
  static int stride(long rowBytes, int most, int step) {
    int best = most / step * step;
    long widest = -1;
    for (int stride = best; stride > 0 && stride >= most - most / 6; stride -= step) {
      long one = stride * rowBytes % PAGE;
      long two = 2 * one % PAGE;
      long gap = Math.min(Math.min(one, PAGE - one), Math.min(two, PAGE - two));
      if (gap > widest) {
        widest = gap;
        best = stride;
      }
    }
    return best;
  }
}
