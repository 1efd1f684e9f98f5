package io.kvasir.compute.onednn;

import io.kvasir.compute.onednn.OneDnnMatrices.Format;
import java.lang.foreign.MemorySegment;

/// The products of one shape of weights, for each bucket of rows one that the library has compiled.
/// Made when first needed, which takes milliseconds.
final class MatmulShape {

  /// Numbers of rows that are computed at once; fewer are padded with zeros.
  static final int[] BUCKETS = {4, 16, 64, 512};

  private final OneDnn dnn;
  private final Format format;
  private final int outputs;
  private final int inputs;
  private final long packedForm;
  private final Bucket[] buckets = new Bucket[BUCKETS.length];

  private record Bucket(long product, long source, long destination) {}

  MatmulShape(OneDnn dnn, Format format, int outputs, int inputs) {
    this.dnn = dnn;
    this.format = format;
    this.outputs = outputs;
    this.inputs = inputs;
    int most = BUCKETS[BUCKETS.length - 1];
    long any = dnn.anyForm(inputs, outputs, format.type);
    packedForm =
        dnn.weightsOf(
            dnn.matmul(
                dnn.rowMajor(most, inputs, format.type),
                any,
                dnn.rowMajor(most, outputs, OneDnn.F32)));
  }

  /// The smallest bucket for `rows` rows, the largest one if they are more.
  static int bucketOf(int rows) {
    int i = 0;
    while (i < BUCKETS.length - 1 && BUCKETS[i] < rows) {
      i++;
    }
    return i;
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

  /// `destination = source x weights` for all rows of a bucket.
  void multiply(int bucket, MemorySegment source, long weights, MemorySegment destination) {
    Bucket made = buckets[bucket];
    if (made == null) {
      made = make(BUCKETS[bucket], source, destination);
      buckets[bucket] = made;
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
