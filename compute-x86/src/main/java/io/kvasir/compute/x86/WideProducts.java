package io.kvasir.compute.x86;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// Attention of many queries to decoded rows of a cache in machine code: products with keys, and
/// weighted sums of values. Results are those of [TileProducts] to the bit, but where numbers are
/// pairs of bf16: then products are exact and added in f32, the second of a pair first.
///
/// The code of a shape and a number of queries is made when it is first asked for, and stays.
public final class WideProducts {
  /// Queries at once.
  static final int SIDE = 6;

  private static final int SCORES = 0;
  private static final int SUMS = SIDE + 1;
  private static final int FOLD = 2 * (SIDE + 1);

  private static final Map<Key, WideProducts> KNOWN = new ConcurrentHashMap<>();

  private final Instructions set;
  private final Shape shape;
  private final AtomicReferenceArray<MachineCode.@Nullable Function> functions =
      new AtomicReferenceArray<>(FOLD + 1);

  private WideProducts(Key key) {
    set = key.set();
    shape = key.shape();
  }

  private record Key(Instructions set, Shape shape) {}

  /// What decoded rows are.
  ///
  /// @param dim channels, a multiple of 16
  /// @param part channels of a key whose products are summed apart; 0 where there are no scales
  /// @param group channels that share a scale; 0 where there are none
  /// @param isPaired whether numbers are pairs of bf16, see [WideCall#decodePairs]; without scales
  public record Shape(int dim, int part, int group, boolean isPaired) {
    public Shape {
      if (!fits(dim, part) || !fits(dim, group) || part == 0 != (group == 0)) {
        throw new IllegalArgumentException(
            "no machine code for %d channels in parts of %d and groups of %d"
                .formatted(dim, part, group));
      }
      if (isPaired && group > 0) {
        throw new IllegalArgumentException("pairs in groups of %d channels".formatted(group));
      }
    }

    /// Whether rows of `dim` channels with a scale for each `group` can be computed on.
    public static boolean fits(int dim, int group) {
      return dim > 0
          && dim <= TileCodes.MOST_CHANNELS
          && dim % TileCodes.TILE == 0
          && group >= 0
          && group % TileCodes.TILE == 0
          && group <= dim;
    }

    /// Whether this is the shape of such rows.
    public boolean is(int dim, int part, int group, boolean isPaired) {
      return this.dim == dim
          && this.part == part
          && this.group == group
          && this.isPaired == isPaired;
    }

    /// Bytes of a query.
    int queryBytes() {
      return dim * (isPaired ? Short.BYTES : Float.BYTES);
    }

    /// Multiply-adds for a score.
    int steps() {
      return isPaired ? dim / 2 : dim;
    }

    /// Rows of values that are added at once.
    int rows() {
      return isPaired ? 2 : 1;
    }

    /// Whether weights are not the scores' floats but brought to memory of their own.
    boolean isFolded() {
      return isPaired || group > 0;
    }

    int groups() {
      return group == 0 ? 0 : (dim + group - 1) / group;
    }
  }

  /// The products of such rows.
  ///
  /// @param set what they are written in, which the processor must have, see
  ///   [Instructions#isSupported]; pairs of bf16 need [Instructions#AVX512]
  public static WideProducts of(Instructions set, Shape shape) {
    if (shape.isPaired() && set != Instructions.AVX512) {
      throw new IllegalArgumentException("no products of pairs of bf16 in " + set);
    }
    return KNOWN.computeIfAbsent(new Key(set, shape), WideProducts::new);
  }

  /// What the rows are.
  public Shape shape() {
    return shape;
  }

  /// Writes the products of the first queries of a call with four decoded tiles of keys.
  ///
  /// @param at the first token's score in a row of scores
  public void score(WideCall call, int queries, int at) {
    int whole = queries / SIDE;
    if (whole > 0) {
      scoreBlocks(call, 0, SIDE, whole, at);
    }
    if (queries > whole * SIDE) {
      scoreBlocks(call, whole * SIDE, queries - whole * SIDE, 1, at);
    }
  }

  private void scoreBlocks(WideCall call, int query, int side, int blocks, int at) {
    long x = shape.isPaired() ? call.roundedAddress() : call.x().address();
    call.set(WideCall.X, x + (long) query * shape.queryBytes());
    call.set(WideCall.SCORES, call.scores().address() + TileCall.row(query) + at * 4L);
    call.set(WideCall.BLOCKS, blocks);
    function(SCORES + side, side).call(call.address());
  }

  /// Multiplies the weights of the first queries with the scales of four decoded tiles of values,
  /// or rounds them to bf16, before they are used.
  public void fold(WideCall call, int queries, int at) {
    if (shape.isFolded()) {
      call.set(WideCall.SCORES, call.scores().address() + (long) at * Float.BYTES);
      call.set(WideCall.FOLDED, call.foldedAddress());
      call.set(WideCall.BLOCKS, queries);
      (shape.isPaired() ? PairCode.WEIGHTS : function(FOLD, 0)).call(call.address());
    }
  }

  /// Adds weighted decoded rows of values to the sums of some queries.
  ///
  /// @param query the first one
  /// @param at the first decoded row's weight in a row of weights
  /// @param from first row of the decoded ones; of pairs both or none
  /// @param to behind the last one
  public void add(WideCall call, int query, int queries, int at, int from, int to) {
    long rows = call.numbers().address();
    int first = from / shape.rows();
    call.set(WideCall.NUMBERS, rows + (long) first * shape.dim() * Float.BYTES);
    addRows(call, query, queries, at + first, first, (to - from) / shape.rows());
    call.set(WideCall.NUMBERS, rows);
  }

  /// Adds one row of a decoded pair, see [WideCall#maskPair].
  public void addMasked(WideCall call, int query, int queries, int pair) {
    call.set(WideCall.NUMBERS, call.maskedAddress());
    addRows(call, query, queries, pair, pair, 1);
    call.set(WideCall.NUMBERS, call.numbers().address());
  }

  private void addRows(WideCall call, int query, int queries, int weight, int first, int rows) {
    call.set(WideCall.ROWS, rows);
    long weights =
        shape.isFolded()
            ? call.foldedAddress() + first * 4L
            : call.scores().address() + weight * 4L;
    int whole = queries / SIDE;
    if (whole > 0) {
      addBlocks(call, query, SIDE, whole, weights);
    }
    if (queries > whole * SIDE) {
      addBlocks(call, query + whole * SIDE, queries - whole * SIDE, 1, weights);
    }
  }

  private void addBlocks(WideCall call, int query, int side, int blocks, long weights) {
    call.set(WideCall.SCORES, weights + (long) query * WideValueCode.weightStride(shape));
    call.set(WideCall.ACC, call.acc().address() + (long) query * shape.dim() * Float.BYTES);
    call.set(WideCall.BLOCKS, blocks);
    function(SUMS + side, side).call(call.address());
  }

  private MachineCode.Function function(int index, int queries) {
    MachineCode.@Nullable Function function = functions.get(index);
    if (function == null) {
      function = MachineCode.ofShort(code(index, queries));
      functions.set(index, function);
    }
    return function;
  }

  private byte[] code(int index, int queries) {
    boolean isAvx2 = set == Instructions.AVX2;
    if (index == FOLD) {
      return isAvx2 ? Avx2WideValueCode.fold(shape) : WideValueCode.fold(shape);
    }
    if (isAvx2) {
      return index < SUMS
          ? Avx2WideScoreCode.of(shape, queries)
          : Avx2WideValueCode.of(shape, queries);
    }
    return index < SUMS ? WideScoreCode.of(shape, queries) : WideValueCode.of(shape, queries);
  }
}
