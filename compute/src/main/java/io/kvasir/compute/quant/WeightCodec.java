package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// Decodes weights of one number format to f32: the executable definition of that format, which
/// every faster kernel is tested against.
///
/// Codecs hold no state and may be used by any number of threads at once.
public interface WeightCodec {

  /// Decodes `elements` weights, a multiple of the format's block size, that are stored
  /// little-endian from `byteOffset` on (at any alignment) into `target` from `targetOffset` on.
  ///
  /// @throws IllegalArgumentException where `elements` is negative or no multiple of the block size
  /// @throws IndexOutOfBoundsException where the source or the target is too short
  void decode(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements);
}
