package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.Operands;
import io.kvasir.compute.x86.RowRounding;
import java.lang.foreign.MemorySegment;

/// Rows of `x` in tiles, as machine code reads them: `[tiles, vectors, rows of a tile]` vectors of
/// operands in native memory whose start is a cache line's, product after product.
///
/// Memory grows to the largest need and stays. Tiles may be packed by different threads.
final class MachineInputs {
  private final Operands operands;
  private final RowRounding[] roundings;
  private MemorySegment memory = MemorySegment.NULL;
  private long size;

  MachineInputs(Operands operands, int threads) {
    this.operands = operands;
    roundings = new RowRounding[operands == Operands.BF16 ? threads : 0];
    for (int i = 0; i < roundings.length; i++) {
      roundings[i] = new RowRounding();
    }
  }

  void clear() {
    size = 0;
  }

  /// Takes memory for the rows of a product and says where it starts.
  long place(Product p) {
    long at = size;
    size += operands.bytes(p.rows, p.columns);
    return at;
  }

  /// Makes sure that there is as much memory as was taken; what was there may be lost.
  void reserve() {
    memory = Workspace.grown(memory, size);
  }

  /// Where the tile of a product starts whose first row is `row`.
  long address(Product p, int row) {
    return memory.address() + p.packedAt + operands.bytes(row, p.columns);
  }

  /// Packs some rows of `x` as a tile.
  void tile(Product p, int first, int rows, int worker) {
    long step = operands.bytes(rows, operands.lanes());
    for (int r = 0; r < rows; r++) {
      int at = p.inputAt(first + r);
      long to = p.packedAt + operands.bytes(first, p.columns);
      if (operands == Operands.F32) {
        PackedRows.put(p.x, at, p.columns, memory, to, r, rows);
      } else {
        long row = memory.address() + to + operands.bytes(r, operands.lanes());
        roundings[worker].round(p.x, at, p.columns, row, step);
      }
    }
  }
}
