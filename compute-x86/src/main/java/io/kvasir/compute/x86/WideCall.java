package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The argument of functions of [WideProducts], with the queries, decoded tiles, scores and sums.
/// One per thread; memory grows to the largest need and stays.
public final class WideCall {
  // Bytes from the argument's start.
  static final int X = 0;
  static final int NUMBERS = 8;
  static final int SCALES = 16;
  static final int SCORES = 24;
  static final int BLOCKS = 32;
  static final int ROWS = 40;
  static final int ACC = 48;
  static final int FOLDED = 56;
  static final int SOURCE = 64;
  static final int TARGET = 72;
  static final int COUNT = 80;
  static final int LEVELS = 128;
  private static final int SIZE = 192;

  /// Rows of keys or values that are decoded at once.
  public static final int TOKENS = 64;

  private static final long LINE = 64;

  private final MemorySegment memory = Arena.ofAuto().allocate(SIZE, LINE);
  private final Rounding rounding = new Rounding();
  private final Instructions set;
  private final TileCall softmax;
  private int[] levels = {};
  private MemorySegment x = MemorySegment.NULL;
  private MemorySegment rounded = MemorySegment.NULL;
  private MemorySegment scores = MemorySegment.NULL;
  private MemorySegment acc = MemorySegment.NULL;
  private MemorySegment numbers = MemorySegment.NULL;
  private MemorySegment scales = MemorySegment.NULL;
  private MemorySegment folded = MemorySegment.NULL;
  private MemorySegment masked = MemorySegment.NULL;

  /// An argument without room for queries.
  ///
  /// @param set what [#decode] and [#weigh] are written in
  public WideCall(Instructions set) {
    this.set = set;
    softmax = new TileCall(set);
  }

  /// Makes room for so many queries and channels; the contents are lost.
  public void room(int queries, int keyDim, int valueDim) {
    int dim = Math.max(keyDim, valueDim);
    // Scales are those of sixteen channels at least.
    int groups = (dim + TileCodes.TILE - 1) / TileCodes.TILE;
    x = grown(x, (long) queries * keyDim + TileCodes.TILE);
    rounded = grown(rounded, (long) queries * keyDim / 2 + TileCodes.TILE);
    scores = grown(scores, (long) queries * TileCall.ROW);
    acc = grown(acc, (long) queries * valueDim);
    numbers = grown(numbers, (long) TOKENS * dim);
    scales = grown(scales, (long) TOKENS * groups);
    masked = grown(masked, dim);
    folded = grown(folded, (long) queries * groups * TOKENS);
    set(NUMBERS, numbers.address());
    set(SCALES, scales.address());
  }

  private static MemorySegment grown(MemorySegment old, long floats) {
    long bytes = floats * Float.BYTES;
    return old.byteSize() >= bytes ? old : Arena.ofAuto().allocate(bytes, LINE);
  }

  /// The constants of the exponential, see [TileCall#exponential].
  public TileCall softmax() {
    return softmax;
  }

  /// The queries, `[queries][dim]` floats.
  public MemorySegment x() {
    return x;
  }

  /// Scores, later weights: `[queries][TileCall.ROW]` floats.
  public MemorySegment scores() {
    return scores;
  }

  /// Sums of values, `[queries][dim]` floats.
  public MemorySegment acc() {
    return acc;
  }

  /// Decoded keys `[4][dim][16]`, or values `[64][dim]`.
  public MemorySegment numbers() {
    return numbers;
  }

  /// Their scales, `[4][groups][16]`.
  public MemorySegment scales() {
    return scales;
  }

  /// Sets what the sixteen nibbles stand for, as the bits of floats.
  @SuppressWarnings("ReferenceEquality") // the same levels are not copied again
  public void levels(int[] bits) {
    if (bits != levels) {
      MemorySegment.copy(bits, 0, memory, ValueLayout.JAVA_INT, LEVELS, TileCodes.TILE);
      levels = bits;
    }
  }

  /// Decodes tiles that stand one after the other to [#numbers], and their scales to [#scales].
  ///
  /// @param row address of the first tile's codes
  /// @param scale address of its scales
  /// @param first tile of the decoded ones, of four
  public void decode(TileCodes codes, boolean isKeys, long row, long scale, int first, int tiles) {
    check(first, tiles);
    int vectors = codes.dim();
    set(SOURCE, row);
    set(TARGET, numbers.address() + (long) first * vectors * LINE);
    set(COUNT, (long) tiles * vectors / DecodeCode.vectors(codes.kind()));
    DecodeCode.function(set, codes.kind(), isKeys).call(memory.address());
    if (codes.groups() > 0) {
      set(SOURCE, scale);
      set(TARGET, scales.address() + (long) first * codes.groups() * LINE);
      set(COUNT, (long) tiles * codes.groups());
      DecodeCode.scales(set).call(memory.address());
    }
  }

  /// The same in pairs of bf16: of keys two channels, `[4][dim / 2][16][2]`, of values two rows,
  /// `[32][dim][2]`.
  public void decodePairs(TileCodes codes, boolean isKeys, long row, int first, int tiles) {
    check(first, tiles);
    levels(TileCodes.PAIR_ORDER);
    set(SOURCE, row);
    set(TARGET, numbers.address() + (long) first * codes.dim() * LINE / 2);
    set(COUNT, (long) tiles * PairCode.steps(codes, isKeys));
    PairCode.decoding(codes, isKeys).call(memory.address());
  }

  /// Rounds the first queries to bf16.
  public void roundQueries(int queries, int dim) {
    rounding.round(x.address(), rounded.address(), (long) queries * dim);
  }

  private static void check(int first, int tiles) {
    if (first < 0 || tiles < 1 || (first + tiles) * TileCodes.TILE > TOKENS) {
      throw new IllegalArgumentException("tiles from %d on: %d".formatted(first, tiles));
    }
  }

  /// Copies a pair of decoded rows of values and makes one of them zero.
  ///
  /// @param pair which one
  /// @param keepsFirst whether the first row of the pair is kept, not the second
  public void maskPair(int pair, boolean keepsFirst, int dim) {
    int mask = keepsFirst ? 0xffff : 0xffff0000;
    for (int i = 0; i < dim; i++) {
      int both = numbers.getAtIndex(ValueLayout.JAVA_INT, (long) pair * dim + i);
      masked.setAtIndex(ValueLayout.JAVA_INT, i, both & mask);
    }
  }

  /// Turns the scores of neighbouring queries, at most [TileCall#MOST_QUERIES], into weights, see
  /// [TileCall#weigh]; [#softmax] has the largest scores and the sums.
  ///
  /// @param query the first one
  /// @param from first score, a multiple of 16
  /// @param vectors of sixteen scores
  /// @param isRough whether weights are rounded to bf16 next
  public void weigh(int query, int queries, int from, int vectors, float factor, boolean isRough) {
    long at = scores.address() + TileCall.row(query) + (long) from * Float.BYTES;
    softmax.weigh(at, queries, vectors, factor, isRough);
  }

  long roundedAddress() {
    return rounded.address();
  }

  long maskedAddress() {
    return masked.address();
  }

  long foldedAddress() {
    return folded.address();
  }

  void set(int field, long value) {
    memory.set(ValueLayout.JAVA_LONG, field, value);
  }

  long address() {
    return memory.address();
  }
}
