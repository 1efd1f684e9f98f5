package io.kvasir.compute;

import java.util.List;

/// A linear map of each head's slice of a row on its own: `out[h] = W_h in[h]`, as absorbed MLA
/// attention needs it (DeepSeek-V2, arXiv 2405.04434, section 2.1).
///
/// Head `h` reads columns `h * inputStride + inputOffset` on and writes columns `h * outputStride +
/// outputOffset` on.
///
/// @param weights one `[out, in]` per head, all of the same shape
public record HeadLinear(
    List<Weight> weights, int inputStride, int inputOffset, int outputStride, int outputOffset) {

  public HeadLinear {
    weights = List.copyOf(weights);
  }

  public int inputs() {
    return weights.getFirst().columns();
  }

  public int outputs() {
    return weights.getFirst().rows();
  }
}
