package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// Looks on while a batch passes through the layers: what decides which tokens a sequence can do
/// without, or measures what a format costs, sees queries, keys and values here.
///
/// Called by the thread that runs the transformer, before a layer's attention; buffers are valid
/// during the call and are not to be changed.
public interface AttentionObserver {

  /// @param in `[rows, width]` what the layer's attention computes queries, keys and values from
  /// @param q `[rows, H * keyDim]` after norm and position encoding, not in the layer's basis
  /// @param k `[rows, G * keyDim]`, null where the layer reads another's rows
  /// @param v `[rows, G * valueDim]`, null where values are part of the keys
  void attending(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer in,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v);
}
