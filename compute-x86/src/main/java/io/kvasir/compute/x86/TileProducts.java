package io.kvasir.compute.x86;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// Attention of one to eight queries to rows of a cache, read where they stand, in machine code:
/// products with keys, and weighted sums of values.
///
/// The code of a kind of rows and a number of queries is made when it is first asked for, and
/// stays.
public final class TileProducts {
  /// Vectors of sixteen scores of a whole row.
  private static final int WHOLE = 16;

  private static final MachineCode.Function SOFTMAX = MachineCode.ofShort(SoftmaxCode.of(0));
  private static final MachineCode.Function WHOLE_SOFTMAX =
      MachineCode.ofShort(SoftmaxCode.of(WHOLE));
  private static final MachineCode.Function ROUGH_SOFTMAX =
      MachineCode.ofShort(RoughSoftmaxCode.of(0));
  private static final MachineCode.Function WHOLE_ROUGH_SOFTMAX =
      MachineCode.ofShort(RoughSoftmaxCode.of(WHOLE));

  private static final int SCORES = 0;
  private static final int SINGLE_SCORES = 1;
  private static final int SUMS = 2;
  private static final int PASSES = 3;

  private static final Map<TileCodes, TileProducts> KNOWN = new ConcurrentHashMap<>();

  private final TileCodes codes;
  private final AtomicReferenceArray<MachineCode.@Nullable Function> functions =
      new AtomicReferenceArray<>(PASSES * (TileCall.MOST_QUERIES + 1));

  private TileProducts(TileCodes codes) {
    this.codes = codes;
  }

  /// The function that turns rows of so many vectors of scores into weights.
  static MachineCode.Function softmax(int vectors, boolean isRough) {
    if (isRough) {
      return vectors == WHOLE ? WHOLE_ROUGH_SOFTMAX : ROUGH_SOFTMAX;
    }
    return vectors == WHOLE ? WHOLE_SOFTMAX : SOFTMAX;
  }

  /// The products of rows that stand so; the processor must have AVX-512, see
  /// [MachineCode#isSupported].
  public static TileProducts of(TileCodes codes) {
    return KNOWN.computeIfAbsent(codes, TileProducts::new);
  }

  /// How the rows stand.
  public TileCodes codes() {
    return codes;
  }

  /// Tiles of keys that are computed at once: the step of [#score].
  public int tiles(int queries) {
    return ScoreCode.tiles(codes, queries);
  }

  /// Writes the products of the first queries of a call with runs of keys.
  ///
  /// @param isSingle whether a step is one tile, not [#tiles]
  public void score(
      TileCall call, int queries, TileRuns runs, int from, int count, boolean isSingle) {
    call.runs(runs, from, count);
    function(isSingle ? SINGLE_SCORES : SCORES, queries).call(call.address());
  }

  /// Adds the weighted rows of runs of values to the sums of the first queries of a call.
  public void add(TileCall call, int queries, TileRuns runs, int from, int count) {
    call.runs(runs, from, count);
    function(SUMS, queries).call(call.address());
  }

  private MachineCode.Function function(int pass, int queries) {
    int index = queries * PASSES + pass;
    MachineCode.@Nullable Function function = functions.get(index);
    if (function == null) {
      function = MachineCode.ofShort(code(pass, queries));
      functions.set(index, function);
    }
    return function;
  }

  private byte[] code(int pass, int queries) {
    return switch (pass) {
      case SCORES -> ScoreCode.of(codes, queries, tiles(queries));
      case SINGLE_SCORES -> ScoreCode.of(codes, queries, 1);
      default -> ValueCode.of(codes, queries);
    };
  }
}
