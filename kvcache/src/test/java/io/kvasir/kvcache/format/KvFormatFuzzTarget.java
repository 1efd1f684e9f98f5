package io.kvasir.kvcache.format;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/// Entry for fuzzers with Jazzer's convention: any rows are encoded and read back as finite numbers
/// inside their plane, and the codes of a row can be moved.
public final class KvFormatFuzzTarget {
  private static final int GUARD = 64;
  private static final int BLOCK = 64;

  private static final List<PlaneKind> KINDS = List.of(PlaneKind.values());

  /// They keep infinities and NaN.
  private static final List<KvFormat> KEEP_ALL = List.of(KvFormat.F32, KvFormat.F16, KvFormat.BF16);

  private KvFormatFuzzTarget() {}

  /// @param data format, kind and size of a head in three bytes, then the bits of floats, repeated
  ///   until the block is full
  public static void fuzzerTestOneInput(byte[] data) {
    if (data.length < 7) {
      return;
    }
    KvFormat format = KvFormat.ALL.get((data[0] & 255) % KvFormat.ALL.size());
    PlaneKind kind = KINDS.get((data[1] & 255) % KINDS.size());
    int dim = 1 + (data[2] & 255);
    float[] rows = new float[BLOCK * dim];
    ByteBuffer floats = ByteBuffer.wrap(data, 3, (data.length - 3) / 4 * 4).slice();
    for (int i = 0; i < rows.length; i++) {
      rows[i] = floats.getFloat(4 * (i % (floats.capacity() / 4)));
    }
    try (Arena arena = Arena.ofConfined()) {
      check(format, rows, new Planes(arena, format, dim, kind));
    }
  }

  /// Two planes between guard bytes.
  private static final class Planes {
    private final long bytes;
    private final MemorySegment memory;
    private final KvPlane first;
    private final KvPlane second;

    Planes(Arena arena, KvFormat format, int dim, PlaneKind kind) {
      bytes = format.planeBytes(BLOCK, dim, kind);
      memory = arena.allocate(2 * bytes + 3 * GUARD).fill((byte) 0x5a);
      first = new KvPlane(memory, GUARD, BLOCK, dim, kind);
      second = new KvPlane(memory, 2 * GUARD + bytes, BLOCK, dim, kind);
    }

    void assertGuarded() {
      for (long start : new long[] {0, GUARD + bytes, 2 * (GUARD + bytes)}) {
        for (int i = 0; i < GUARD; i++) {
          if (memory.get(ValueLayout.JAVA_BYTE, start + i) != 0x5a) {
            throw new AssertionError("wrote outside of the plane");
          }
        }
      }
    }
  }

  private static void check(KvFormat format, float[] rows, Planes planes) {
    KvPlane plane = planes.first;
    int dim = plane.dim();
    int tile = format.tileTokens(plane.kind());
    for (int slot = 0; slot < BLOCK; slot += tile) {
      format.encode(rows, slot * dim, plane, slot);
      format.encode(rows, slot * dim, planes.second, slot);
    }
    planes.assertGuarded();
    if (planes
            .memory
            .asSlice(plane.offset(), planes.bytes)
            .mismatch(planes.memory.asSlice(planes.second.offset(), planes.bytes))
        != -1) {
      throw new AssertionError(format.name() + " encodes the same rows in two ways");
    }
    float[] read = new float[dim];
    float[] moved = new float[dim];
    for (int slot = 0; slot < BLOCK; slot++) {
      format.decode(plane, slot, read, 0);
      for (float x : read) {
        if (!KEEP_ALL.contains(format) && !(Math.abs(x) < 300_000)) {
          throw new AssertionError(format.name() + " reads " + x);
        }
      }
      if (tile == 1) {
        format.copyRow(plane, slot, planes.second, BLOCK - 1 - slot);
        format.decode(planes.second, BLOCK - 1 - slot, moved, 0);
        if (!Arrays.equals(read, moved)) {
          throw new AssertionError(format.name() + " reads a moved row otherwise");
        }
      }
    }
    planes.assertGuarded();
  }
}
