package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// Encodes f32 weights into one number format that Kvasir writes.
///
/// Encoders hold no state and may be used by any number of threads at once.
public interface WeightEncoder {

  /// Encodes `elements` weights, a multiple of the format's block size, from `source` at `offset`
  /// on into `target` from `byteOffset` on (at any alignment), little-endian.
  ///
  /// @throws IllegalArgumentException where `elements` is negative or no multiple of the block size
  /// @throws IndexOutOfBoundsException where the source or the target is too short
  void encode(float[] source, int offset, int elements, MemorySegment target, long byteOffset);
}
