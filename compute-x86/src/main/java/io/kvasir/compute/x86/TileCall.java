package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The argument of functions of [TileProducts], with the queries, their scores and sums. One per
/// thread.
public final class TileCall {
  // Bytes from the argument's start.
  static final int X = 0;
  static final int RUNS = 8;
  static final int COUNT = 16;
  static final int ACC = 24;
  static final int FOLDED = 32;
  static final int SCORES = 40;
  static final int VECTORS = 48;
  static final int FACTOR = 56;
  static final int LEVELS = 64;
  static final int CONSTANTS = 128;
  static final int ROWS = 168;
  static final int ROUGH = 176;
  static final int LARGEST = 192;
  static final int SUM = 224;
  private static final int SIZE = 256;

  /// Most queries at a time.
  public static final int MOST_QUERIES = 8;

  /// Scores of a query.
  public static final int ROW = 320;

  /// Vectors of weights with scales multiplied in.
  private static final int FOLDED_BYTES = 64 * 64;

  private static final long CACHE_LINE = 64;

  private final MemorySegment memory = Arena.ofAuto().allocate(SIZE, CACHE_LINE);
  private final MemorySegment x = floats(MOST_QUERIES * TileCodes.MOST_CHANNELS);
  private final MemorySegment scores = floats(MOST_QUERIES * ROW);
  private final MemorySegment acc = floats(MOST_QUERIES * TileCodes.MOST_CHANNELS);
  private final MemorySegment folded = Arena.ofAuto().allocate(FOLDED_BYTES, CACHE_LINE);
  private final Rounding rounding = new Rounding();
  private final Instructions set;
  private int[] levels = {};

  /// An argument without queries.
  ///
  /// @param set what [#weigh] is written in
  public TileCall(Instructions set) {
    this.set = set;
    memory.set(ValueLayout.JAVA_LONG, X, x.address());
    memory.set(ValueLayout.JAVA_LONG, ACC, acc.address());
    memory.set(ValueLayout.JAVA_LONG, FOLDED, folded.address());
  }

  private static MemorySegment floats(int count) {
    return Arena.ofAuto().allocate((long) count * Float.BYTES, CACHE_LINE);
  }

  /// Bytes from the scores of the first query to those of another.
  static int row(int query) {
    return query * ROW * Float.BYTES;
  }

  /// The queries, `[queries][dim]` floats.
  public MemorySegment x() {
    return x;
  }

  /// Scores, later weights: `[queries][ROW]` floats.
  public MemorySegment scores() {
    return scores;
  }

  /// Sums of values, `[queries][dim]` floats.
  public MemorySegment acc() {
    return acc;
  }

  /// Sets what the sixteen nibbles stand for, as the bits of floats; none where there are no
  /// nibbles.
  @SuppressWarnings("ReferenceEquality") // the same levels are not copied again
  public void levels(int[] bits) {
    if (bits.length > 0 && bits != levels) {
      MemorySegment.copy(bits, 0, memory, ValueLayout.JAVA_INT, LEVELS, TileCodes.TILE);
      levels = bits;
    }
  }

  /// Turns the first queries into bf16, `[queries][dim]`, for rows that are multiplied in pairs.
  public void roundQueries(int queries, int dim) {
    rounding.round(x.address(), x.address(), (long) queries * dim);
    levels(TileCodes.PAIR_ORDER);
  }

  /// The constants of the exponential of a softmax.
  ///
  /// @param polynomial coefficients of `2^f`, from that of degree 0 to that of degree 6
  /// @param round what added to a number of moderate size rounds it to an integer
  /// @param least exponents below become 0
  /// @param rough coefficients of a polynomial for weights that are rounded to bf16 next, from that
  ///   of degree 1 to that of degree 4
  public void exponential(float[] polynomial, float round, float least, float[] rough) {
    MemorySegment.copy(rough, 0, memory, ValueLayout.JAVA_FLOAT, ROUGH, 4);
    MemorySegment.copy(polynomial, 0, memory, ValueLayout.JAVA_FLOAT, CONSTANTS, 7);
    memory.set(ValueLayout.JAVA_FLOAT, CONSTANTS + 28, round);
    memory.set(ValueLayout.JAVA_FLOAT, CONSTANTS + 32, least);
    memory.set(ValueLayout.JAVA_INT, CONSTANTS + 36, Integer.MAX_VALUE);
  }

  void runs(TileRuns runs, int from, int count) {
    memory.set(ValueLayout.JAVA_LONG, RUNS, runs.at(from));
    memory.set(ValueLayout.JAVA_LONG, COUNT, count);
  }

  /// Turns scores of the first queries into weights `2^(factor (s - max s))`; see [#largest] and
  /// [#sum].
  ///
  /// @param from first score, a multiple of 16
  /// @param vectors of sixteen scores
  /// @param isRough whether weights are rounded to bf16 next
  public void weigh(int queries, int from, int vectors, float factor, boolean isRough) {
    weigh(scores.address() + (long) from * Float.BYTES, queries, vectors, factor, isRough);
  }

  /// The same of scores elsewhere, rows of [#ROW] floats.
  void weigh(long from, int queries, int vectors, float factor, boolean isRough) {
    memory.set(ValueLayout.JAVA_LONG, SCORES, from);
    memory.set(ValueLayout.JAVA_LONG, ROWS, queries);
    memory.set(ValueLayout.JAVA_LONG, VECTORS, vectors);
    memory.set(ValueLayout.JAVA_FLOAT, FACTOR, factor);
    TileProducts.softmax(set, vectors, isRough).call(memory.address());
  }

  /// The largest score of a query that [#weigh] found.
  public float largest(int query) {
    return memory.get(ValueLayout.JAVA_FLOAT, LARGEST + (long) query * Float.BYTES);
  }

  /// The sum of weights of a query that [#weigh] computed.
  public float sum(int query) {
    return memory.get(ValueLayout.JAVA_FLOAT, SUM + (long) query * Float.BYTES);
  }

  long address() {
    return memory.address();
  }
}
