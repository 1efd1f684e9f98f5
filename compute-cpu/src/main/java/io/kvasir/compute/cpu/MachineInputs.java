package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.Operands;
import io.kvasir.compute.x86.RowRounding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Rows of `x` in tiles, as machine code reads them: `[tiles, vectors, rows of a tile]` vectors of
/// operands in native memory whose start is a cache line's.
///
/// Memory grows to the largest need and stays. Tiles may be packed by different threads.
final class MachineInputs {
  private static final long CACHE_LINE = 64;

  private final Operands operands;
  private final PackedRows floats = new PackedRows();
  private final RowRounding[] roundings;
  private MemorySegment rounded = MemorySegment.NULL;

  MachineInputs(Operands operands, int threads) {
    this.operands = operands;
    roundings = new RowRounding[operands == Operands.BF16 ? threads : 0];
    for (int i = 0; i < roundings.length; i++) {
      roundings[i] = new RowRounding();
    }
  }

  /// Makes room for `rows` rows; what was there is lost.
  void reserve(int rows, int columns) {
    if (operands == Operands.F32) {
      floats.reserve(rows, columns);
    } else if (rounded.byteSize() < operands.bytes(rows, columns)) {
      rounded = Arena.ofAuto().allocate(operands.bytes(rows, columns), CACHE_LINE);
    }
  }

  /// Where the tile starts whose first row is `row`.
  long address(int row, int columns) {
    MemorySegment memory = operands == Operands.F32 ? floats.memory() : rounded;
    return memory.address() + operands.bytes(row, columns);
  }

  /// Packs some rows of `x` as a tile.
  void tile(Product p, int first, int rows, int worker) {
    long step = operands.bytes(rows, operands.lanes());
    for (int r = 0; r < rows; r++) {
      int at = p.xAt + (first + r) * p.xStride;
      if (operands == Operands.F32) {
        floats.put(p.x, at, p.columns, operands.bytes(first, p.columns), r, rows);
      } else {
        long to = address(first, p.columns) + operands.bytes(r, operands.lanes());
        roundings[worker].round(p.x, at, p.columns, to, step);
      }
    }
  }
}
