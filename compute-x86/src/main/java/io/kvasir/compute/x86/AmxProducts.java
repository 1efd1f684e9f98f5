package io.kvasir.compute.x86;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// Products of 64 rows of weights with up to 32 rows of `x`, both rounded to bf16, in the tile
/// registers of AMX: an instruction multiplies sixteen rows by sixteen, of 32 elements each.
///
/// Decoded weights are `[columns / 32, 4]` tiles of sixteen rows by 32 elements, and `x` `[columns
/// / 32]` tiles of 16 pairs by as many rows as there are, at most sixteen ([#spread]). Every sum is
/// over all of K in its order, 32 elements at a time, so a row's results do not depend on the
/// others, and one row has the bits of many.
public final class AmxProducts {
  /// Rows of a tile.
  public static final int TILE = 16;

  static final int TILE_BYTES = 1024;

  /// Elements of K in a tile.
  public static final int COLUMNS = 32;

  /// Most rows of `x` at a time.
  public static final int MOST_ROWS = 2 * TILE;

  static final int OUT_TILES = PanelProducts.MOST_OUTPUTS / TILE;

  /// Bytes of decoded weights of 32 elements of K.
  static final int STEP_BYTES = OUT_TILES * TILE_BYTES;

  /// Tiles of outputs whose weights are decoded before they are multiplied with few rows.
  static final int FEW_TILES = 2;

  static final int FEW_STEP_BYTES = FEW_TILES * TILE_BYTES;

  /// Weight rows of a product.
  public static final int MOST_OUTPUTS = PanelProducts.MOST_OUTPUTS;

  /// Most tiles along K that are decoded before they are multiplied with few rows; they stay in the
  /// L1 cache.
  static final int PIECE = 8;

  private static final Map<TensorType, AmxProducts> ALL = all();

  private final RowFormat format;
  private final AtomicReference<MachineCode.@Nullable KeepingFunction> few =
      new AtomicReference<>();
  private final AtomicReference<MachineCode.@Nullable KeepingFunction> decoding =
      new AtomicReference<>();

  private AmxProducts(RowFormat format) {
    this.format = format;
  }

  private static Map<TensorType, AmxProducts> all() {
    Map<TensorType, AmxProducts> all = new EnumMap<>(TensorType.class);
    for (TensorType type : TensorType.values()) {
      RowFormat format = RowFormats.of(type, Operands.BF16);
      if (format != null) {
        all.put(type, new AmxProducts(format));
      }
    }
    return all;
  }

  /// Whether this machine has tiles.
  public static boolean isSupported() {
    return MachineCode.hasTiles();
  }

  /// The products of a weight format, or null where it has no machine code.
  public static @Nullable AmxProducts of(TensorType type) {
    return ALL.get(type);
  }

  /// Whether rows of so many weights can be multiplied.
  public boolean takes(int columns) {
    return columns > 0 && columns % format.blockWeights() == 0;
  }

  /// Bytes of `rows` rows of `x`, at most [#TILE] or a multiple, or of decoded weights.
  public static long bytes(int rows, int columns) {
    return (long) rows * columns * Short.BYTES;
  }

  /// Makes a row of `x` a part of tiles of second factors.
  ///
  /// @param from address of the row, `columns` bf16
  /// @param rows of the tiles, at most [#TILE]
  /// @param tiles address of `[columns / 32]` tiles
  public static void spread(AmxCall call, long from, int row, int rows, int columns, long tiles) {
    call.width(rows);
    call.set(AmxCall.X_ROWS, from);
    call.set(AmxCall.X, tiles + (long) row * Float.BYTES);
    call.set(AmxCall.CHUNKS, columns / COLUMNS);
    Functions.SPREAD.call(call.address());
  }

  /// Multiplies up to [#TILE] rows with [#MOST_OUTPUTS] rows of weights; [AmxCall#results] has the
  /// results.
  ///
  /// @param x where the rows' tiles start
  /// @param count rows of `x`
  /// @throws IllegalStateException where the weights are closed
  public void multiply(RowCall rows, AmxCall call, long x, int count, Weights weights) {
    int chunks = weights.columns / COLUMNS;
    int piece = piece(chunks);
    call.width(count);
    call.rows(count);
    call.set(AmxCall.X, x);
    call.piece(piece);
    rows.tiles(weights, format, piece, FEW_TILES, call.piece());
    rows.pieces(call.address(), chunks / piece);
    function(few, true).call(rows.address(), weights.memory);
  }

  /// Tiles of K in a piece: as many as divide K and hold whole blocks.
  private int piece(int chunks) {
    int piece = PIECE;
    while (chunks % piece != 0) {
      piece--;
    }
    return piece;
  }

  /// Decodes [#MOST_OUTPUTS] weight rows for [#multiply(AmxCall, long, int, long, int)].
  ///
  /// @param panel address of the tiles
  /// @throws IllegalStateException where the weights are closed
  public void decode(RowCall rows, Weights weights, long panel) {
    rows.tiles(weights, format, weights.columns / COLUMNS, OUT_TILES, panel);
    function(decoding, false).call(rows.address(), weights.memory);
  }

  private MachineCode.KeepingFunction function(
      AtomicReference<MachineCode.@Nullable KeepingFunction> place, boolean multiplies) {
    MachineCode.@Nullable KeepingFunction function = place.get();
    if (function == null) {
      function = MachineCode.keeping(multiplies ? RowCode.tiles(format) : RowCode.decoding(format));
      place.set(function);
    }
    return Objects.requireNonNull(function);
  }

  /// Multiplies up to [#MOST_ROWS] rows; [AmxCall#results] has the results.
  ///
  /// @param x where the tiles of sixteen rows start, and those of the next sixteen
  /// @param panel where the tiles of weights start
  public static void multiply(AmxCall call, long x, int rows, long panel, int columns) {
    if (rows < 1 || rows > MOST_ROWS || columns < COLUMNS || columns % COLUMNS != 0) {
      throw new IllegalArgumentException("%d rows of %d columns".formatted(rows, columns));
    }
    call.width(TILE);
    call.rows(rows);
    call.set(AmxCall.X, x);
    // A second tile that is not there is the first once more; its results are not stored.
    call.set(AmxCall.X_ROWS, rows <= TILE ? 0 : bytes(TILE, columns));
    call.set(AmxCall.PANEL, panel);
    call.set(AmxCall.CHUNKS, columns / COLUMNS);
    Functions.MANY.call(call.address());
  }

  /// Where rows of weights are. One per thread, so that a product allocates nothing.
  public static final class Weights {
    private MemorySegment memory = MemorySegment.NULL;
    private long first;
    private long rowBytes;
    private int columns;

    /// No rows yet.
    public Weights() {}

    /// @param first bytes from the start of `memory` to the first row
    public Weights set(MemorySegment memory, long first, long rowBytes, int columns) {
      this.memory = memory;
      this.first = first;
      this.rowBytes = rowBytes;
      this.columns = columns;
      return this;
    }

    MemorySegment memory() {
      return memory;
    }

    long first() {
      return first;
    }

    long rowBytes() {
      return rowBytes;
    }
  }

  private static final class Functions {
    static final MachineCode.Function MANY = MachineCode.of(AmxCode.many());
    static final MachineCode.Function SPREAD = MachineCode.ofShort(AmxCode.spreading());
  }
}
