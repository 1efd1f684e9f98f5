package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/// Rows of floats in tiles, as [PanelTile] and machine code read them: `[tiles, vectors, rows of a
/// tile, 16]` in native memory whose start is a cache line's, whatever the width of this machine's
/// vectors. The `columns % 16` last elements are left out.
///
/// Memory grows to the largest need and stays. Tiles may be packed by different threads.
final class PackedRows {
  private static final int LANES = 16;
  private static final int VECTOR = LANES * Float.BYTES;
  private static final long CACHE_LINE = 64;

  private MemorySegment memory = MemorySegment.NULL;

  /// Makes room for `rows` rows; what was there is lost.
  MemorySegment reserve(int rows, int columns) {
    long bytes = (long) rows * (columns / LANES) * VECTOR;
    if (memory.byteSize() < bytes) {
      memory = Arena.ofAuto().allocate(bytes, CACHE_LINE);
    }
    return memory;
  }

  MemorySegment memory() {
    return memory;
  }

  /// Packs row `row` of a tile of `rows` that starts at byte `tileAt`.
  void put(float[] from, int at, int columns, long tileAt, int row, int rows) {
    put(from, at, columns, memory, tileAt, row, rows);
  }

  /// As [#put(float[], int, int, long, int, int)], into some memory.
  static void put(
      float[] from, int at, int columns, MemorySegment to, long tileAt, int row, int rows) {
    int vectors = columns / LANES;
    for (int v = 0; v < vectors; v++) {
      long vectorAt = tileAt + ((long) v * rows + row) * VECTOR;
      for (int i = 0; i < LANES; i += L) {
        FloatVector.fromArray(F, from, at + v * LANES + i)
            .intoMemorySegment(to, vectorAt + (long) i * Float.BYTES, ByteOrder.nativeOrder());
      }
    }
  }

  /// Bytes of a tile.
  static long tileBytes(int rows, int columns) {
    return (long) rows * (columns / LANES) * VECTOR;
  }
}
