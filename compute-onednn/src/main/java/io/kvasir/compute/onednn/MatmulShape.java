package io.kvasir.compute.onednn;

import io.kvasir.compute.onednn.OneDnnMatrices.Format;
import java.lang.foreign.MemorySegment;

/// The products of one shape of weights, for each size of a piece of rows one that the library has
/// compiled. Made when first needed, which takes milliseconds.
final class MatmulShape {

  /// Numbers of rows that may be computed at once, ascending; fewer are padded with zeros.
  static final int[] SIZES = {4, 16, 32, 64, 512};

  private final OneDnn dnn;
  private final Format format;
  private final int outputs;
  private final int inputs;
  private final long packedForm;
  private final Bucket[] buckets = new Bucket[SIZES.length];

  private record Bucket(long product, long source, long destination) {}

  MatmulShape(OneDnn dnn, Format format, int outputs, int inputs) {
    this.dnn = dnn;
    this.format = format;
    this.outputs = outputs;
    this.inputs = inputs;
    int most = SIZES[SIZES.length - 1];
    long any = dnn.anyForm(inputs, outputs, format.type);
    packedForm =
        dnn.weightsOf(
            dnn.matmul(
                dnn.rowMajor(most, inputs, format.type),
                any,
                dnn.rowMajor(most, outputs, OneDnn.F32)));
  }

  /// The number of the smallest size in `set` for `rows` rows, of its largest one if they are more.
  ///
  /// @param set bit `i` for size `i`; the answer for none is that for the smallest
  static int sizeOf(int rows, int set) {
    int last = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(set | 1);
    for (int i = 0; i < last; i++) {
      if ((set >> i & 1) != 0 && SIZES[i] >= rows) {
        return i;
      }
    }
    return last;
  }

  /// Bytes of packed weights.
  long packedBytes() {
    return dnn.size(packedForm);
  }

  /// Brings weights `[outputs, inputs]` from row-major order into the library's.
  ///
  /// @return a handle of the packed weights
  long pack(MemorySegment rowMajor, MemorySegment packed) {
    long plain = dnn.columnMajor(inputs, outputs, format.type);
    long to = dnn.memory(packedForm, packed);
    long copy = dnn.primitive(dnn.reorder(plain, packedForm));
    dnn.copy(copy, dnn.memory(plain, rowMajor), to);
    return to;
  }

  /// `destination = source x weights` for all rows of size number `size`.
  void multiply(int size, MemorySegment source, long weights, MemorySegment destination) {
    Bucket made = buckets[size];
    if (made == null) {
      made = make(SIZES[size], source, destination);
      buckets[size] = made;
    }
    dnn.move(made.source(), source);
    dnn.move(made.destination(), destination);
    dnn.multiply(made.product(), made.source(), weights, made.destination());
  }

  private Bucket make(int rows, MemorySegment source, MemorySegment destination) {
    long in = dnn.rowMajor(rows, inputs, format.type);
    long out = dnn.rowMajor(rows, outputs, OneDnn.F32);
    long product = dnn.primitive(dnn.matmul(in, packedForm, out));
    return new Bucket(product, dnn.memory(in, source), dnn.memory(out, destination));
  }
}
