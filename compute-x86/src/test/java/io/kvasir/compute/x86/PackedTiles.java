package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rows as kernels read them.
final class PackedTiles {
  private PackedTiles() {}

  /// Tiles of rows, vector after vector.
  static MemorySegment of(Operands operands, float[][] rows, int tile) {
    int columns = rows[0].length;
    int lanes = operands.lanes();
    MemorySegment memory = Arena.ofAuto().allocate(operands.bytes(rows.length, columns), 64);
    for (int r = 0; r < rows.length; r++) {
      for (int k = 0; k < columns; k++) {
        long vector = (long) r / tile * columns / lanes + k / lanes;
        long at = (vector * tile + r % tile) * lanes + k % lanes;
        switch (operands) {
          case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, rows[r][k]);
          case BF16 -> {
            int bits = Float.floatToRawIntBits(LaneSums.rounded(rows[r][k]));
            memory.setAtIndex(ValueLayout.JAVA_SHORT, at, (short) (bits >>> 16));
          }
        }
      }
    }
    return memory;
  }
}
