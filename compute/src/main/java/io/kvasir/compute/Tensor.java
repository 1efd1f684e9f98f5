package io.kvasir.compute;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/// A named tensor of weights, used where it lies: usually a window into a memory-mapped model file.
///
/// `shape` has the outermost dimension first, as Hugging Face writes it (a linear layer is `[out,
/// in]`; GGUF files list the same dimensions in reverse). Elements are row-major; a row, the last
/// dimension, is a whole number of blocks of `type`. `data` is read-only and holds exactly the
/// elements' bytes. The tensor lives as long as the file it came from stays open.
///
/// Immutable; may be used by any number of threads at once.
@SuppressWarnings("ArrayRecordComponent") // shape is copied on the way in and out
public record Tensor(String name, TensorType type, long[] shape, MemorySegment data) {

  /// More dimensions mean a broken file.
  public static final int MAX_DIMENSIONS = 8;

  /// @throws IllegalArgumentException where the shape is negative or too large, a row is no whole
  ///   number of blocks, or `data` has another size than the shape and type ask for
  public Tensor {
    Objects.requireNonNull(name, "name");
    shape = shape.clone();
    long bytes = byteSize(name, type, shape);
    if (bytes != data.byteSize()) {
      throw new IllegalArgumentException(
          describe(name, type, shape) + " takes " + bytes + " bytes but has " + data.byteSize());
    }
    data = data.asReadOnly();
  }

  /// The bytes that a tensor of this shape takes; `name` is for the message.
  ///
  /// @throws IllegalArgumentException where the shape is negative or too large, or a row is no
  ///   whole number of blocks
  public static long byteSize(String name, TensorType type, long... shape) {
    return type.bytes(elements(name, type, shape));
  }

  /// The dimensions, outermost first; empty for a scalar.
  @Override
  public long[] shape() {
    return shape.clone();
  }

  public int dimensions() {
    return shape.length;
  }

  /// The size of dimension `index`, 0 being the outermost.
  public long dimension(int index) {
    return shape[index];
  }

  public long elements() {
    long product = 1;
    for (long size : shape) {
      product *= size;
    }
    return product;
  }

  /// The size of the last dimension; 1 for a scalar.
  public long columns() {
    return shape.length == 0 ? 1 : shape[shape.length - 1];
  }

  /// The product of all dimensions but the last.
  public long rows() {
    long product = 1;
    for (int i = 0; i < shape.length - 1; i++) {
      product *= shape[i];
    }
    return product;
  }

  public long rowBytes() {
    return type.bytes(columns());
  }

  /// Rows `from` to `to` (exclusive), all outer dimensions counted as one, as a view of shape `[to
  /// - from, columns]`.
  public Tensor sliceRows(long from, long to) {
    Objects.checkFromToIndex(from, to, rows());
    long bytes = rowBytes();
    return new Tensor(
        name,
        type,
        new long[] {to - from, columns()},
        data.asSlice(from * bytes, (to - from) * bytes));
  }

  /// The view at `index` of the outermost dimension, without that dimension: one expert of a
  /// stacked `[experts, out, in]`.
  public Tensor at(long index) {
    if (shape.length < 2) {
      throw new IllegalArgumentException(this + " has no inner dimensions to take apart");
    }
    Objects.checkIndex(index, shape[0]);
    long bytes = data.byteSize() / shape[0];
    return new Tensor(
        name, type, Arrays.copyOfRange(shape, 1, shape.length), data.asSlice(index * bytes, bytes));
  }

  /// The same bytes under another shape of as many elements.
  public Tensor reshape(long... newShape) {
    return new Tensor(name, type, newShape, data);
  }

  /// The same tensor under another name.
  public Tensor named(String newName) {
    return new Tensor(newName, type, shape, data);
  }

  /// All elements as f32; meant for small tensors such as norms and biases.
  ///
  /// @throws IllegalArgumentException where they do not fit in an array
  public float[] toFloats() {
    long count = elements();
    if (count > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(this + " is too large for one array");
    }
    float[] values = new float[(int) count];
    type.codec().decode(data, 0, values, 0, values.length);
    return values;
  }

  /// Decodes row `row` into `target` from `targetOffset` on.
  public void decodeRow(long row, float[] target, int targetOffset) {
    Objects.checkIndex(row, rows());
    type.codec().decode(data, row * rowBytes(), target, targetOffset, Math.toIntExact(columns()));
  }

  /// Name, type and shape, as error messages print them.
  @Override
  public String toString() {
    return describe(name, type, shape);
  }

  /// Equal where name, type, shape and the bytes are.
  @Override
  public boolean equals(Object other) {
    return other instanceof Tensor that
        && name.equals(that.name)
        && type == that.type
        && Arrays.equals(shape, that.shape)
        && data.mismatch(that.data) < 0;
  }

  @Override
  public int hashCode() {
    return Objects.hash(name, type, Arrays.hashCode(shape));
  }

  private static long elements(String name, TensorType type, long[] shape) {
    if (shape.length > MAX_DIMENSIONS) {
      throw new IllegalArgumentException(
          "tensor '" + name + "' has " + shape.length + " dimensions; at most " + MAX_DIMENSIONS);
    }
    long product = 1;
    for (long size : shape) {
      if (size < 0 || Math.multiplyHigh(product, size) != 0 || product * size < 0) {
        throw new IllegalArgumentException(
            describe(name, type, shape) + " has no valid number of elements");
      }
      product *= size;
    }
    long columns = shape.length == 0 ? 1 : shape[shape.length - 1];
    if (columns % type.blockElements() != 0) {
      throw new IllegalArgumentException(
          describe(name, type, shape)
              + " has rows that are no whole number of blocks of "
              + type.blockElements());
    }
    return product;
  }

  private static String describe(String name, TensorType type, long[] shape) {
    return "tensor '" + name + "' (" + type + " " + Arrays.toString(shape) + ")";
  }
}
