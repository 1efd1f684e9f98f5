package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// The loop over blocks that the decoders of block formats share; `block` decodes one of them.
record BlockCodec(TensorType type, BlockDecoder block) implements WeightCodec {

  /// Decodes the block at byte `at` of `source` into `target` from `to` on.
  @FunctionalInterface
  interface BlockDecoder {
    void decode(MemorySegment source, long at, float[] target, int to);
  }

  @Override
  public void decode(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    long bytes = type.bytes(elements);
    Objects.checkFromIndexSize(byteOffset, bytes, source.byteSize());
    Objects.checkFromIndexSize(targetOffset, elements, target.length);
    long at = byteOffset;
    int end = targetOffset + elements;
    for (int to = targetOffset; to < end; to += type.blockElements()) {
      block.decode(source, at, target, to);
      at += type.blockBytes();
    }
  }
}
