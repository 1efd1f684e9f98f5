package io.kvasir.compute.cuda;

import io.kvasir.compute.Buffer;
import org.jspecify.annotations.Nullable;

/// Activations in the memory of the device.
///
/// @param pointer device address of `[rows, columns]` f32
record CudaBuffer(long pointer, int rows, int columns) implements Buffer {

  /// Bytes of the first `count` rows.
  long bytes(int count) {
    return 4L * count * columns;
  }

  static CudaBuffer of(Buffer buffer) {
    return (CudaBuffer) buffer;
  }

  /// Device address of a buffer, 0 for none.
  static long pointer(@Nullable Buffer buffer) {
    return buffer == null ? 0 : of(buffer).pointer;
  }
}
