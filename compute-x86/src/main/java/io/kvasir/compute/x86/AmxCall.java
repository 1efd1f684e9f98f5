package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The argument of the functions of [AmxProducts], with their results. One per thread.
public final class AmxCall {
  // Bytes from the argument's start.
  static final int X = 0;
  static final int PANEL = 8;
  static final int CHUNKS = 16;
  static final int X_ROWS = 24;
  static final int OUT = 32;
  static final int NEXT = 40;
  static final int NEXT_STEP = 48;
  static final int X_TILE = 56;
  static final int X_STRIDE = 64;
  static final int MASKS = 72;
  static final int ALL = 88;
  static final int X_PIECE = 96;
  static final int SHAPES = 128;
  static final int INDICES = 192;
  static final int COLUMNS = 256;
  static final int SCRATCH = 320;

  /// Lines of the next weights that a step over K asks for.
  public static final int LINES_AHEAD = 2;

  /// Steps over K between asking for tiles in the first cache and loading them.
  static final int STEPS_AHEAD = 3;

  /// Bytes between rows of results.
  static final int OUT_STRIDE = AmxProducts.MOST_OUTPUTS * Float.BYTES;

  private static final int TILE = AmxProducts.TILE;
  private static final int RESULTS_AT = SCRATCH + AmxProducts.TILE_BYTES;
  private static final int VECTOR = 64;
  private static final int FIRST_WIDTH = 16;
  private static final int FIRST_HEIGHT = 48;
  private static final int REGISTERS = 8;
  private static final int ALL_LANES = 0xffff;

  /// Accumulators and the first tile of `x`.
  private static final int NARROW = 5;

  private final MemorySegment memory =
      Arena.ofAuto().allocate(RESULTS_AT + (long) AmxProducts.MOST_ROWS * OUT_STRIDE, VECTOR);

  private final MemorySegment results =
      memory.asSlice(RESULTS_AT, (long) AmxProducts.MOST_ROWS * OUT_STRIDE);

  /// Decoded weights of a piece of K.
  private final MemorySegment piece =
      Arena.ofAuto().allocate((long) AmxProducts.PIECE * AmxProducts.FEW_STEP_BYTES, VECTOR);

  private int width;

  /// An argument whose fields are yet to be set.
  public AmxCall() {
    // The first of the two palettes has eight tiles of up to 16 rows of 64 bytes.
    memory.set(ValueLayout.JAVA_BYTE, SHAPES, (byte) 1);
    for (int i = 0; i < REGISTERS; i++) {
      memory.set(ValueLayout.JAVA_SHORT, SHAPES + FIRST_WIDTH + 2L * i, (short) VECTOR);
      memory.set(ValueLayout.JAVA_BYTE, SHAPES + FIRST_HEIGHT + (long) i, (byte) TILE);
    }
    for (int i = 0; i < TILE; i++) {
      memory.set(ValueLayout.JAVA_INT, INDICES + 4L * i, i * OUT_STRIDE);
    }
    set(OUT, results.address());
    set(ALL, ALL_LANES);
    next(0, 0);
    width(TILE);
  }

  /// Sets what is asked for in the second cache meanwhile, where it is needed soon: `step` bytes
  /// further on, [#LINES_AHEAD] times with every 32 elements of K.
  public void next(long address, long step) {
    set(NEXT, step == 0 ? memory.address() : address);
    set(NEXT_STEP, step);
  }

  /// Sets how many rows of `x` a tile has.
  void width(int rows) {
    if (rows == width) {
      return;
    }
    width = rows;
    int bytes = rows * Float.BYTES;
    for (int i = 0; i < NARROW; i++) {
      memory.set(ValueLayout.JAVA_SHORT, SHAPES + FIRST_WIDTH + 2L * i, (short) bytes);
    }
    for (int i = 0; i < TILE; i++) {
      memory.set(ValueLayout.JAVA_INT, COLUMNS + 4L * i, i * bytes);
    }
    set(X_STRIDE, bytes);
    set(X_TILE, (long) bytes * TILE);
  }

  /// Sets the steps over K before which weights are decoded.
  void piece(int chunks) {
    set(CHUNKS, chunks);
    set(X_PIECE, (long) chunks * TILE * width * Float.BYTES);
  }

  /// Sets how many rows' results are stored.
  void rows(int rows) {
    set(MASKS, lanes(rows));
    set(MASKS + Long.BYTES, lanes(rows - TILE));
  }

  private static long lanes(int rows) {
    return (1L << Math.clamp(rows, 0, TILE)) - 1;
  }

  void set(int field, long value) {
    memory.set(ValueLayout.JAVA_LONG, field, value);
  }

  long address() {
    return memory.address();
  }

  long piece() {
    return piece.address();
  }

  /// Where the results are: `[rows, AmxProducts.MOST_OUTPUTS]` floats.
  public MemorySegment results() {
    return results;
  }
}
