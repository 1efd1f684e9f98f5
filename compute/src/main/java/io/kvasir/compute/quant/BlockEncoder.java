package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// The loop over blocks that all encoders share; `block` encodes one of them.
record BlockEncoder(TensorType type, SingleBlock block) implements WeightEncoder {

  /// Encodes the block of weights at `from` of `source` to byte `at` of `target`.
  @FunctionalInterface
  interface SingleBlock {
    void encode(float[] source, int from, MemorySegment target, long at);
  }

  @Override
  public void encode(
      float[] source, int offset, int elements, MemorySegment target, long byteOffset) {
    long bytes = type.bytes(elements);
    Objects.checkFromIndexSize(offset, elements, source.length);
    Objects.checkFromIndexSize(byteOffset, bytes, target.byteSize());
    long at = byteOffset;
    int end = offset + elements;
    for (int from = offset; from < end; from += type.blockElements()) {
      block.encode(source, from, target, at);
      at += type.blockBytes();
    }
  }
}
