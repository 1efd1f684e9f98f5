package io.kvasir.model.file;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;

/// The bytes of a tensor that is being written, made when their turn comes, so that a model larger
/// than memory can be written.
@FunctionalInterface
public interface TensorContent {

  /// Writes all bytes to `target`.
  void writeTo(WritableByteChannel target) throws IOException;

  /// The bytes of `data` as they are.
  static TensorContent of(MemorySegment data) {
    return target -> {
      // A ByteBuffer covers at most 2 GiB; smaller pieces also keep the channel's copies small.
      long piece = 1 << 20;
      for (long at = 0; at < data.byteSize(); at += piece) {
        long count = Math.min(piece, data.byteSize() - at);
        writeAll(target, data.asSlice(at, count).asByteBuffer());
      }
    };
  }

  /// `values` as little-endian f32.
  static TensorContent of(float[] values) {
    return target -> {
      ByteBuffer buffer = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
      int perBuffer = buffer.capacity() / 4;
      for (int at = 0; at < values.length; at += perBuffer) {
        int count = Math.min(perBuffer, values.length - at);
        buffer.clear();
        buffer.asFloatBuffer().put(values, at, count);
        buffer.limit(4 * count);
        writeAll(target, buffer);
      }
    };
  }

  private static void writeAll(WritableByteChannel target, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      target.write(buffer);
    }
  }
}
