package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The argument of a function of [RowProducts], with scratch memory of its own. One per thread.
public final class RowCall {
  // Bytes from the argument's start.
  static final int WEIGHTS = 0;
  static final int STRIDE = 8;
  static final int GROUP_STEP = 16;
  static final int GROUPS = 24;
  static final int BLOCKS = 32;
  static final int X = 40;
  static final int OUT = 48;
  static final int TABLES = 56;

  static final int PANEL = 64;
  static final int PANEL_STEP = 72;
  static final int TO_NEXT_PIECE = 80;
  static final int PIECES = 88;
  static final int AMX = 96;

  static final int SCRATCH_AT = 128;

  /// Bytes of scratch memory of one output.
  static final int SCRATCH = 384;

  private static final int CACHE_LINE = 64;

  private final MemorySegment memory =
      Arena.ofAuto().allocate(SCRATCH_AT + RowProducts.MOST_OUTPUTS * SCRATCH, CACHE_LINE);
  private MemorySegment sums = MemorySegment.NULL;
  private int rows = 1;
  private int columns;
  private int groups;
  private long first;

  /// An argument whose fields are yet to be set.
  public RowCall() {
    memory.set(ValueLayout.JAVA_LONG, TABLES, Constants.address());
  }

  /// Sets the rows of `x`.
  ///
  /// @param address where `[vectors, rows]` vectors of operands start, which must stay until the
  ///   call is done
  /// @param rows up to [RowProducts#MOST_ROWS]; 0 where weights are only decoded
  public void inputs(long address, int rows, int columns) {
    if (rows < 0 || rows > RowProducts.MOST_ROWS) {
      throw new IllegalArgumentException(rows + " rows cannot be multiplied at a time");
    }
    this.rows = rows;
    this.columns = columns;
    memory.set(ValueLayout.JAVA_LONG, X, address);
  }

  /// Rows of `x`.
  public int rows() {
    return rows;
  }

  /// Sets which rows of weights are multiplied. The first byte of row `o` of group `g` is `first +
  /// g * step + o * stride`.
  public void groups(long first, long stride, long step, int count) {
    this.first = first;
    groups = count;
    memory.set(ValueLayout.JAVA_LONG, STRIDE, stride);
    memory.set(ValueLayout.JAVA_LONG, GROUP_STEP, step);
    memory.set(ValueLayout.JAVA_LONG, GROUPS, count);
  }

  int groups() {
    return groups;
  }

  /// Sets what follows from the weights, and makes room for the sums.
  void set(long weights, int group, int blockWeights) {
    long bytes = (long) groups * group * rows * Float.BYTES;
    if (sums.byteSize() < bytes) {
      sums = Arena.ofAuto().allocate(bytes, CACHE_LINE);
    }
    memory.set(ValueLayout.JAVA_LONG, WEIGHTS, weights + first);
    memory.set(ValueLayout.JAVA_LONG, BLOCKS, columns / blockWeights);
    memory.set(ValueLayout.JAVA_LONG, OUT, sums.address());
  }

  /// Sets where decoded weights and results go.
  void keep(long panel, long out) {
    memory.set(ValueLayout.JAVA_LONG, PANEL, panel);
    memory.set(ValueLayout.JAVA_LONG, OUT, out);
  }

  /// Sets [AmxProducts#MOST_OUTPUTS] rows that are decoded to tiles.
  ///
  /// @param piece tiles along K from which the next rows start anew
  /// @param tiles of outputs beside each other
  void tiles(AmxProducts.Weights weights, RowFormat format, int piece, int tiles, long panel) {
    long step = QuadSum.OUTPUTS * weights.rowBytes();
    int quads = AmxProducts.MOST_OUTPUTS / QuadSum.OUTPUTS;
    groups(weights.first(), weights.rowBytes(), step, tiles * AmxProducts.TILE / QuadSum.OUTPUTS);
    memory.set(ValueLayout.JAVA_LONG, WEIGHTS, weights.memory().address() + first);
    int blocks = piece * AmxProducts.COLUMNS / format.blockWeights();
    memory.set(ValueLayout.JAVA_LONG, BLOCKS, blocks);
    memory.set(ValueLayout.JAVA_LONG, PANEL, panel);
    // From behind the last vectors of four rows to the first ones of the next four.
    long back = (long) piece * tiles * AmxProducts.TILE_BYTES;
    memory.set(ValueLayout.JAVA_LONG, PANEL_STEP, QuadSum.OUTPUTS * Operands.VECTOR - back);
    // From behind the last rows to the next piece of the first ones.
    long pieceBytes = (long) blocks * format.blockBytes();
    memory.set(ValueLayout.JAVA_LONG, TO_NEXT_PIECE, pieceBytes - quads * step);
  }

  /// Sets how many pieces of K are decoded and multiplied, by a call whose fields are at `amx`.
  void pieces(long amx, int count) {
    memory.set(ValueLayout.JAVA_LONG, AMX, amx);
    memory.set(ValueLayout.JAVA_LONG, PIECES, count);
  }

  long address() {
    return memory.address();
  }

  /// The sum at `index` of the products that were computed last.
  public float sum(int index) {
    return sums.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }
}
