package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntUnaryOperator;

/// Copies of weights in another order of their elements. The copies live as long as the arena
/// given.
final class TensorOrder {
  private TensorOrder() {}

  /// `[..., a, b]` to `[..., b, a]`, element by element.
  static Tensor transposed(Tensor tensor, Arena arena) {
    TensorType type = tensor.type();
    if (type.blockElements() != 1) {
      throw new UnsupportedModelException(tensor + " cannot be transposed");
    }
    int size = type.blockBytes();
    long[] shape = tensor.shape();
    long a = shape[shape.length - 2];
    long b = shape[shape.length - 1];
    MemorySegment target = arena.allocate(Math.max(1, tensor.data().byteSize()), 64);
    for (long matrix = 0; matrix < tensor.elements(); matrix += a * b) {
      for (long i = 0; i < a; i++) {
        for (long j = 0; j < b; j++) {
          long from = (matrix + i * b + j) * size;
          long to = (matrix + j * a + i) * size;
          MemorySegment.copy(tensor.data(), from, target, to, size);
        }
      }
    }
    shape[shape.length - 2] = b;
    shape[shape.length - 1] = a;
    return new Tensor(tensor.name(), type, shape, target.asSlice(0, tensor.data().byteSize()));
  }

  /// A copy of `rows` rows whose row `i` is row `source(i)` of the original.
  static Tensor rearranged(Tensor tensor, int rows, IntUnaryOperator source, Arena arena) {
    long rowBytes = tensor.rowBytes();
    MemorySegment target = arena.allocate(rows * rowBytes, 64);
    for (int row = 0; row < rows; row++) {
      MemorySegment.copy(
          tensor.data(), source.applyAsInt(row) * rowBytes, target, row * rowBytes, rowBytes);
    }
    return new Tensor(tensor.name(), tensor.type(), new long[] {rows, tensor.columns()}, target);
  }

  /// A new f32 tensor.
  static Tensor floats(String name, float[] values, Arena arena, long... shape) {
    MemorySegment target = arena.allocate(Math.max(1, 4L * values.length), 64);
    MemorySegment.copy(values, 0, target, ValueLayout.JAVA_FLOAT, 0, values.length);
    return new Tensor(name, TensorType.F32, shape, target.asSlice(0, 4L * values.length));
  }

  /// Where row `i` of (all queries, all keys, all values) lies in a fused weight that lists, per
  /// key-value head, its query heads, key and value.
  static IntUnaryOperator ungrouped(AttentionConfig attention) {
    int dim = attention.headDim();
    int perGroup = attention.heads() / attention.kvHeads();
    int q = attention.heads() * dim;
    int kv = attention.kvHeads() * dim;
    return row -> {
      int part = row < q ? 0 : row < q + kv ? 1 : 2;
      int head = part == 0 ? row / dim : (row - q - (part - 1) * kv) / dim;
      int group = part == 0 ? head / perGroup : head;
      int slot = part == 0 ? head % perGroup : perGroup + part - 1;
      return (group * (perGroup + 2) + slot) * dim + row % dim;
    };
  }

  /// Where row `i` of a gate-up weight that lists the gate first lies in one whose rows alternate.
  static int deinterleaved(int row, int inner) {
    return row < inner ? 2 * row : 2 * (row - inner) + 1;
  }

  /// Where row `i` of heads whose rotated pairs are neighbours lies in heads whose pairs are half a
  /// head apart: GGUF's Llama order from Hugging Face's.
  static int neighbouring(int row, int headDim) {
    int inHead = row % headDim;
    return row - inHead + inHead / 2 + (inHead % 2) * (headDim / 2);
  }
}
