package io.kvasir.model;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionObserver;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import org.jspecify.annotations.Nullable;

/// One run of the transformer over a batch.
///
/// @param queryFactors factor of each row's queries, or an empty array for 1
@SuppressWarnings("ArrayRecordComponent") // scratch memory of the transformer
record Step(Backend backend, AttentionMetadata batch, int rows, float[] queryFactors) {

  int[] positions() {
    return batch.positions();
  }

  /// Tells whoever looks on what a layer is about to attend to.
  void observe(AttentionSpec spec, Buffer in, Buffer q, @Nullable Buffer k, @Nullable Buffer v) {
    AttentionObserver observer = batch.observer();
    if (observer != null) {
      observer.attending(batch, spec, in, q, k, v);
    }
  }
}
