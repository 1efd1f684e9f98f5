package io.kvasir.compute.cpu;

import java.lang.foreign.MemorySegment;

/// Decodes a run of weights of one format to f32, with the bits of the format's `WeightCodec`.
@FunctionalInterface
interface RowDecoder {

  /// Decodes `count` weights that start at byte `at` into `target` from `to` on.
  void decode(MemorySegment weights, long at, float[] target, int to, int count);
}
