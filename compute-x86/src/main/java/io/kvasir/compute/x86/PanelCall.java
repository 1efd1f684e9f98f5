package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The argument of a function of [PanelProducts], with its accumulators and results. One per
/// thread.
public final class PanelCall {
  // Bytes from the argument's start.
  static final int X = 0;
  static final int PANEL = 8;
  static final int TILE_BYTES = 16;
  static final int TILES = 24;
  static final int STEPS = 32;
  static final int LAST_STEPS = 40;
  static final int MIDDLE_PIECES = 48;
  static final int TO_NEXT_PIECE = 56;
  static final int SUMS = 64;
  static final int OUT = 72;
  static final int TABLES = 80;
  static final int NEXT = 88;
  static final int NEXT_STEP = 96;

  /// Bytes between rows of results.
  static final int OUT_STRIDE = PanelProducts.MOST_OUTPUTS * Float.BYTES;

  private static final int RESULTS_AT = 128;
  private static final int SUMS_AT = RESULTS_AT + PanelProducts.MOST_ROWS * OUT_STRIDE;
  private static final int VECTOR = 64;
  private static final long BYTES =
      SUMS_AT + (long) PanelProducts.MOST_ROWS * PanelProducts.MOST_OUTPUTS * VECTOR;

  private final MemorySegment memory = Arena.ofAuto().allocate(BYTES, VECTOR);

  private final MemorySegment results =
      memory.asSlice(RESULTS_AT, (long) PanelProducts.MOST_ROWS * OUT_STRIDE);

  /// An argument whose fields are yet to be set.
  public PanelCall() {
    set(TABLES, Constants.address());
    set(OUT, memory.address() + RESULTS_AT);
    set(SUMS, memory.address() + SUMS_AT);
    next(0, 0);
  }

  /// Sets what is asked for in the second cache meanwhile, where it is needed soon: `step` bytes
  /// further on with every step.
  public void next(long address, long step) {
    set(NEXT, step == 0 ? memory.address() : address);
    set(NEXT_STEP, step);
  }

  void set(int field, long value) {
    memory.set(ValueLayout.JAVA_LONG, field, value);
  }

  long address() {
    return memory.address();
  }

  /// Where the results are: `[rows, PanelProducts.MOST_OUTPUTS]` floats.
  public MemorySegment results() {
    return results;
  }
}
