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

  /// Vectors of K in a piece with AVX-512: six rows of `x` are 24 KiB.
  private static final int PIECE = 64;

  private static final int VECTOR = 64;
  private static final int MOST_PIECES = 3;

  private static final PanelProducts OF_F32 =
      new PanelProducts(Operands.F32, Instructions.AVX512, PIECE);
  private static final PanelProducts OF_BF16 =
      new PanelProducts(Operands.BF16, Instructions.AVX512, PIECE);
  private static final PanelProducts OF_F32_IN_AVX2 =
      new PanelProducts(Operands.F32, Instructions.AVX2, Avx2PanelCode.PIECE);

  private final Operands operands;
  private final Instructions instructions;
  private final int piece;
  private final AtomicReferenceArray<MachineCode.@Nullable Function> functions =
      new AtomicReferenceArray<>((MOST_ROWS + 1) * (MOST_PIECES + 1));

  private PanelProducts(Operands operands, Instructions instructions, int piece) {
    this.operands = operands;
    this.instructions = instructions;
    this.piece = piece;
  }

  /// The products of some operands.
  ///
  /// @throws IllegalArgumentException where these instructions have none
  public static PanelProducts of(Operands operands, Instructions instructions) {
    return switch (instructions) {
      case AVX512 -> operands == Operands.F32 ? OF_F32 : OF_BF16;
      case AVX2 -> {
        if (operands != Operands.F32) {
          throw new IllegalArgumentException("AVX2 has no products of " + operands);
        }
        yield OF_F32_IN_AVX2;
      }
    };
  }

  /// Multiplies; [PanelCall#results] has the results.
  ///
  /// @param x where `[vectors, rows]` vectors of operands start
  /// @param rows from 1 to [#MOST_ROWS]
  /// @param panel where `[tiles, vectors, 4]` vectors of operands start
  public void multiply(PanelCall call, long x, int rows, long panel, int tiles, int vectors) {
    if (rows < 1 || rows > MOST_ROWS || tiles < 1 || tiles > MOST_OUTPUTS / TILE || vectors < 1) {
      throw new IllegalArgumentException(
          "%d rows by %d tiles of %d vectors".formatted(rows, tiles, vectors));
    }
    int pieces = (vectors + piece - 1) / piece;
    long tileBytes = (long) vectors * TILE * VECTOR;
    call.set(PanelCall.X, x);
    call.set(PanelCall.PANEL, panel);
    call.set(PanelCall.TILE_BYTES, tileBytes);
    call.set(PanelCall.TILES, tiles);
    call.set(PanelCall.STEPS, piece);
    call.set(PanelCall.LAST_STEPS, vectors - (pieces - 1) * piece);
    call.set(PanelCall.MIDDLE_PIECES, pieces - 2);
    call.set(PanelCall.TO_NEXT_PIECE, (long) piece * TILE * VECTOR - tiles * tileBytes);
    function(rows, Math.min(pieces, MOST_PIECES)).call(call.address());
  }

  private MachineCode.Function function(int rows, int pieces) {
    int index = rows * (MOST_PIECES + 1) + pieces;
    MachineCode.@Nullable Function function = functions.get(index);
    if (function == null) {
      function = MachineCode.of(code(rows, pieces));
      functions.set(index, function);
    }
    return function;
  }

  private byte[] code(int rows, int pieces) {
    return switch (instructions) {
      case AVX512 -> PanelCode.of(operands, rows, pieces);
      case AVX2 -> Avx2PanelCode.of(rows, pieces);
    };
  }
}
