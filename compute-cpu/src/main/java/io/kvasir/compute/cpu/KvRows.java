package io.kvasir.compute.cpu;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Reads and writes consecutive rows of a cache plane as f32, with the bits of the format's codec.
///
/// f32, f16 and bf16 are plain loops that the compiler turns into vector code; other formats go
/// through their scalar codec row by row.
final class KvRows {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// Where the plane lies; filled before a call.
  MemorySegment memory = MemorySegment.NULL;

  long planeOffset;
  int blockTokens;
  int dim;
  PlaneKind kind = PlaneKind.VALUES;
  private short[] halves = new short[2048];

  /// Rows `slot .. slot + count - 1` into `target` from 0 on.
  void read(KvFormat format, int slot, int count, float[] target) {
    int elements = count * dim;
    if (format.equals(KvFormat.F32)) {
      MemorySegment.copy(memory, FLOAT, planeOffset + 4L * slot * dim, target, 0, elements);
    } else if (format.equals(KvFormat.F16)) {
      short[] bits = load(slot, elements);
      for (int i = 0; i < elements; i++) {
        target[i] = Float.float16ToFloat(bits[i]);
      }
    } else if (format.equals(KvFormat.BF16)) {
      BlockDecoders.bf16(memory, planeOffset + 2L * slot * dim, target, 0, elements);
    } else {
      KvPlane plane = new KvPlane(memory, planeOffset, blockTokens, dim, kind);
      for (int i = 0; i < count; i++) {
        format.decode(plane, slot + i, target, i * dim);
      }
    }
  }

  private short[] load(int slot, int elements) {
    if (halves.length < elements) {
      halves = new short[elements];
    }
    MemorySegment.copy(memory, SHORT, planeOffset + 2L * slot * dim, halves, 0, elements);
    return halves;
  }

  /// One row from `source[from]` on into row `slot`.
  void write(KvFormat format, int slot, float[] source, int from) {
    if (format.equals(KvFormat.F32)) {
      MemorySegment.copy(source, from, memory, FLOAT, planeOffset + 4L * slot * dim, dim);
    } else if (format.equals(KvFormat.F16)) {
      short[] bits = room();
      for (int i = 0; i < dim; i++) {
        bits[i] = Float.floatToFloat16(source[from + i]);
      }
      MemorySegment.copy(bits, 0, memory, SHORT, planeOffset + 2L * slot * dim, dim);
    } else if (format.equals(KvFormat.BF16)) {
      short[] bits = room();
      for (int i = 0; i < dim; i++) {
        int raw = Float.floatToRawIntBits(source[from + i]);
        int rounded = raw + 0x7fff + (raw >>> 16 & 1) >>> 16;
        int nan = raw >>> 16 | 0x40;
        bits[i] = (short) ((raw & 0x7fffffff) > 0x7f800000 ? nan : rounded);
      }
      MemorySegment.copy(bits, 0, memory, SHORT, planeOffset + 2L * slot * dim, dim);
    } else {
      format.encode(source, from, new KvPlane(memory, planeOffset, blockTokens, dim, kind), slot);
    }
  }

  private short[] room() {
    if (halves.length < dim) {
      halves = new short[dim];
    }
    return halves;
  }
}
