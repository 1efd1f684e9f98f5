package io.kvasir.compute;

/// Activations in an array on the Java heap, for backends that run on the processor.
///
/// @param values at least `rows x columns` elements, row `r` starting at `r * columns`
@SuppressWarnings("ArrayRecordComponent") // the array is the memory itself, shared on purpose
public record HostBuffer(float[] values, int rows, int columns) implements Buffer {

  public HostBuffer {
    if (rows < 0 || columns <= 0 || (long) rows * columns > values.length) {
      throw new IllegalArgumentException(
          "a buffer [%d, %d] does not fit %d values".formatted(rows, columns, values.length));
    }
  }

  public static HostBuffer allocate(int rows, int columns) {
    long size = (long) rows * columns;
    if (size > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "a buffer [%d, %d] is larger than an array; use a smaller chunk"
              .formatted(rows, columns));
    }
    return new HostBuffer(new float[(int) size], rows, columns);
  }
}
