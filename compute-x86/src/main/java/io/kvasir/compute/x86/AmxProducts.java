package io.kvasir.compute.x86;

/// Products of up to 32 rows of `x` with 64 rows of weights, both bf16, in the tile registers of
/// AMX: sixteen rows of 32 elements each are multiplied by one instruction.
///
/// Weights are `[outputs / 16, columns / 32]` tiles of sixteen rows by 32 elements, as
/// [RowProducts#decodeTiles] writes them, and `x` tiles of 16 pairs by sixteen rows, [#turn]. Every
/// sum is over all of K in its order, 32 elements at a time, so a row's results do not depend on
/// the others.
public final class AmxProducts {
  /// Rows of a tile.
  public static final int TILE = 16;

  public static final int TILE_BYTES = 1024;

  /// Elements of K in a tile.
  public static final int COLUMNS = 32;

  /// Most rows of `x` at a time.
  public static final int MOST_ROWS = 32;

  static final int OUT_TILES = 4;

  /// Weight rows of a product.
  public static final int MOST_OUTPUTS = OUT_TILES * TILE;

  private AmxProducts() {}

  /// Whether this machine has tiles.
  public static boolean isSupported() {
    return MachineCode.hasTiles();
  }

  /// Bytes of `rows` rows in tiles.
  public static long bytes(int rows, int columns) {
    return (long) (rows + TILE - 1) / TILE * (columns / COLUMNS) * TILE_BYTES;
  }

  /// Makes second factors of tiles of sixteen rows of 32 bf16, in their place.
  public static void turn(AmxCall call, long tiles, int count) {
    call.set(AmxCall.X, tiles);
    call.set(AmxCall.CHUNKS, count);
    Code.TURN.call(call.address());
  }

  /// Multiplies; [AmxCall#results] has the results.
  ///
  /// @param x where `[rows / 16, columns / 32]` tiles of second factors start
  /// @param rows from 1 to [#MOST_ROWS]
  /// @param panel where `[4, columns / 32]` tiles of weights start
  public static void multiply(AmxCall call, long x, int rows, long panel, int columns) {
    if (rows < 1 || rows > MOST_ROWS || columns < COLUMNS || columns % COLUMNS != 0) {
      throw new IllegalArgumentException("%d rows of %d columns".formatted(rows, columns));
    }
    call.set(AmxCall.X, x);
    call.set(AmxCall.PANEL, panel);
    call.set(AmxCall.CHUNKS, columns / COLUMNS);
    call.set(AmxCall.ROW_BYTES, bytes(1, columns));
    call.rows(rows);
    (rows <= TILE ? Code.FEW : Code.MANY).call(call.address());
  }

  private static final class Code {
    static final MachineCode.Function FEW = MachineCode.of(AmxCode.of(1));
    static final MachineCode.Function MANY = MachineCode.of(AmxCode.of(2));
    static final MachineCode.Function TURN = MachineCode.ofShort(AmxCode.turning());
  }
}
