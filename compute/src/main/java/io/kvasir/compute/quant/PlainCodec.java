package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// The checks before a run of numbers that are stored one by one; `run` decodes them all, so that
/// the loop is compiled with the number format known.
record PlainCodec(TensorType type, Run run) implements WeightCodec {

  /// Decodes `count` numbers from byte `at` of `source` into `target` from `to` on.
  @FunctionalInterface
  interface Run {
    void decode(MemorySegment source, long at, float[] target, int to, int count);
  }

  @Override
  public void decode(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    Objects.checkFromIndexSize(byteOffset, type.bytes(elements), source.byteSize());
    Objects.checkFromIndexSize(targetOffset, elements, target.length);
    run.decode(source, byteOffset, target, targetOffset, elements);
  }
}
