package io.kvasir.kvcache.format;

/// The orthonormal Walsh–Hadamard transform: spreads what stands out in one channel over all of
/// them, so that few bits describe each. It is symmetric and its own inverse.
///
/// Rows whose size is no power of two are transformed in equal blocks. The order of the butterflies
/// is part of the cache's formats: every backend adds in this order and so writes the same codes.
/// Rotations against outliers: QuIP# (arXiv 2402.04396), QuaRot (arXiv 2404.00456).
public final class Hadamard {
  private Hadamard() {}

  /// The largest power of two that divides `dim`: the block size for rows of `dim`.
  public static int block(int dim) {
    return Integer.lowestOneBit(dim);
  }

  /// Transforms `x[from .. from + dim - 1]` in place, in blocks of `block` elements: strides 1, 2,
  /// 4, ..., then one multiplication by `1 / sqrt(block)`.
  ///
  /// @param block a power of two that divides `dim`
  public static void transform(float[] x, int from, int dim, int block) {
    for (int stride = 1; stride < block; stride *= 2) {
      for (int i = from; i < from + dim; i += 2 * stride) {
        for (int j = i; j < i + stride; j++) {
          float a = x[j];
          float b = x[j + stride];
          x[j] = a + b;
          x[j + stride] = a - b;
        }
      }
    }
    float factor = (float) (1 / Math.sqrt(block));
    for (int i = from; i < from + dim; i++) {
      x[i] *= factor;
    }
  }
}
