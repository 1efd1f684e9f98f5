package io.kvasir.model;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;

/// One run of the transformer over a batch.
///
/// @param queryFactors factor of each row's queries, or an empty array for 1
@SuppressWarnings("ArrayRecordComponent") // scratch memory of the transformer
record Step(Backend backend, AttentionMetadata batch, int rows, float[] queryFactors) {

  int[] positions() {
    return batch.positions();
  }
}
