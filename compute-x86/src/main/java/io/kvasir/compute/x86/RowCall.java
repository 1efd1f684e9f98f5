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
  /// @param rows from 1 to [RowProducts#MOST_ROWS]
  public void inputs(long address, int rows, int columns) {
    if (rows < 1 || rows > RowProducts.MOST_ROWS) {
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

  /// Sets the row length of what is only decoded, and where it goes.
  void decode(long panel, int columns) {
    rows = 1;
    this.columns = columns;
    // From behind the last vector of four rows to the first of the next four.
    long step = (long) QuadSum.OUTPUTS * Operands.VECTOR - AmxProducts.bytes(1, columns);
    memory.set(ValueLayout.JAVA_LONG, PANEL, panel);
    memory.set(ValueLayout.JAVA_LONG, PANEL_STEP, step);
  }

  long address() {
    return memory.address();
  }

  /// The sum at `index` of the products that were computed last.
  public float sum(int index) {
    return sums.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }
}
