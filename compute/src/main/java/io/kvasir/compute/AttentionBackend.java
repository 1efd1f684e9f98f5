package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// Attention over the paged cache.
public interface AttentionBackend {

  /// Stores the batch's new key and value rows in the slots that its tables name, then lets every
  /// query row attend to the rows of its sequence up to its own position, window permitting.
  ///
  /// A row's result depends on its own sequence only, and neither on the batch, on how a prompt was
  /// cut into steps, nor on the block size: sums run in an order fixed by position.
  ///
  /// @param q `[rows, H * keyDim]`
  /// @param k `[rows, G * keyDim]`, or null where another layer has stored the rows already
  /// @param v `[rows, G * valueDim]`, or null where values are part of the key rows or `k` is null
  /// @param out `[rows, H * valueDim]`
  void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out);
}
