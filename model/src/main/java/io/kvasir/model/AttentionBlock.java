package io.kvasir.model;

import io.kvasir.compute.Buffer;

/// The attention part of a layer, projections included.
sealed interface AttentionBlock permits HeadAttention, LatentAttention {

  /// @param in `[rows, width]`, normalized
  /// @param out `[rows, width]`
  void forward(Step step, Buffer in, Buffer out);
}
