package io.kvasir.compute.cpu;

import io.kvasir.compute.MatrixProvider;

/// Products of matrices that a [MatrixProvider] has taken: the provider multiplies, biases are
/// added here.
final class ProvidedProducts {
  private ProvidedProducts() {}

  /// `p.out = W p.x + b` for all rows, `W` being `packed`; the product's weights are not read, and
  /// its rows of `x` are the first ones.
  static void multiply(MatrixProvider.Packed packed, Product p) {
    packed.multiply(
        new MatrixProvider.Rows(p.x, p.xAt, p.xStride),
        new MatrixProvider.Rows(p.out, p.outAt, p.outStride),
        p.rows);
    if (p.bias == null) {
      return;
    }
    for (int r = 0; r < p.rows; r++) {
      int at = p.outAt + r * p.outStride;
      for (int o = 0; o < p.outputs; o++) {
        p.out[at + o] += p.biasOf(o);
      }
    }
  }
}
