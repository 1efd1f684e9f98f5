package io.kvasir.compute.x86;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// Products of up to six rows of `x` with decoded weights, in machine code.
///
/// Weights are tiles of four rows, `[tiles, vectors, 4]` vectors of [Operands].
public final class PanelProducts {
  /// Most rows of `x` at a time.
  public static final int MOST_ROWS = 6;

  /// Most weight rows at a time.
  public static final int MOST_OUTPUTS = 64;

  /// Weight rows in a tile.
  public static final int TILE = QuadSum.OUTPUTS;

  /// Vectors of K in a piece: six rows of `x` are 24 KiB.
  private static final int PIECE = 64;

  private static final int VECTOR = 64;
  private static final int MOST_PIECES = 3;

  private static final AtomicReferenceArray<MachineCode.@Nullable Function> FUNCTIONS =
      new AtomicReferenceArray<>(Operands.values().length * (MOST_ROWS + 1) * (MOST_PIECES + 1));

  private PanelProducts() {}

  /// Multiplies; [PanelCall#results] has the results.
  ///
  /// @param x where `[vectors, rows]` vectors of operands start
  /// @param rows from 1 to [#MOST_ROWS]
  /// @param panel where `[tiles, vectors, 4]` vectors of operands start
  public static void multiply(
      PanelCall call, Operands operands, long x, int rows, long panel, int tiles, int vectors) {
    if (rows < 1 || rows > MOST_ROWS || tiles < 1 || tiles > MOST_OUTPUTS / TILE || vectors < 1) {
      throw new IllegalArgumentException(
          "%d rows by %d tiles of %d vectors".formatted(rows, tiles, vectors));
    }
    int pieces = (vectors + PIECE - 1) / PIECE;
    long tileBytes = (long) vectors * TILE * VECTOR;
    call.set(PanelCall.X, x);
    call.set(PanelCall.PANEL, panel);
    call.set(PanelCall.TILE_BYTES, tileBytes);
    call.set(PanelCall.TILES, tiles);
    call.set(PanelCall.STEPS, PIECE);
    call.set(PanelCall.LAST_STEPS, vectors - (pieces - 1) * PIECE);
    call.set(PanelCall.MIDDLE_PIECES, pieces - 2);
    call.set(PanelCall.TO_NEXT_PIECE, PIECE * TILE * VECTOR - tiles * tileBytes);
    function(operands, rows, Math.min(pieces, MOST_PIECES)).call(call.address());
  }

  private static MachineCode.Function function(Operands operands, int rows, int pieces) {
    int kind = operands == Operands.BF16 ? 1 : 0;
    int index = (kind * (MOST_ROWS + 1) + rows) * (MOST_PIECES + 1) + pieces;
    MachineCode.@Nullable Function function = FUNCTIONS.get(index);
    if (function == null) {
      function = MachineCode.of(PanelCode.of(operands, rows, pieces));
      FUNCTIONS.set(index, function);
    }
    return function;
  }
}
