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

  private static final int SCORES = 0;
  private static final int SINGLE_SCORES = 1;
  private static final int SUMS = 2;
  private static final int PASSES = 3;

  private record Key(Instructions set, TileCodes codes) {}

  private static final Map<Key, TileProducts> KNOWN = new ConcurrentHashMap<>();

  private final Instructions set;
  private final TileCodes codes;
  private final AtomicReferenceArray<MachineCode.@Nullable Function> functions =
      new AtomicReferenceArray<>(PASSES * (TileCall.MOST_QUERIES + 1));

  private TileProducts(Key key) {
    set = key.set();
    codes = key.codes();
  }

  /// The function that turns rows of so many vectors of scores into weights; rough ones are written
  /// in [Instructions#AVX512] only.
  static MachineCode.Function softmax(Instructions set, int vectors, boolean isRough) {
    boolean isWhole = vectors == WHOLE;
    if (isRough) {
      return isWhole ? RoughSoftmax.WHOLE_ROW : RoughSoftmax.ANY_ROW;
    }
    return switch (set) {
      case AVX512 -> isWhole ? Softmax.WHOLE_ROW : Softmax.ANY_ROW;
      case AVX2 -> isWhole ? Avx2Softmax.WHOLE_ROW : Avx2Softmax.ANY_ROW;
    };
  }

  // A class for each, so that only what the processor has is written.

  private static final class Softmax {
    static final MachineCode.Function ANY_ROW = MachineCode.ofShort(SoftmaxCode.of(0));
    static final MachineCode.Function WHOLE_ROW = MachineCode.ofShort(SoftmaxCode.of(WHOLE));
  }

  private static final class RoughSoftmax {
    static final MachineCode.Function ANY_ROW = MachineCode.ofShort(RoughSoftmaxCode.of(0));
    static final MachineCode.Function WHOLE_ROW = MachineCode.ofShort(RoughSoftmaxCode.of(WHOLE));
  }

  private static final class Avx2Softmax {
    static final MachineCode.Function ANY_ROW = MachineCode.ofShort(Avx2SoftmaxCode.of(0));
    static final MachineCode.Function WHOLE_ROW = MachineCode.ofShort(Avx2SoftmaxCode.of(WHOLE));
  }

  /// The products of rows that stand so.
  ///
  /// @param set what they are written in, which the processor must have, see
  ///   [Instructions#isSupported]; pairs of bf16 need [Instructions#AVX512]
  public static TileProducts of(Instructions set, TileCodes codes) {
    if (codes.isPaired() && set != Instructions.AVX512) {
      throw new IllegalArgumentException("no products of pairs of bf16 in " + set);
    }
    return KNOWN.computeIfAbsent(new Key(set, codes), TileProducts::new);
  }

  /// How the rows stand.
  public TileCodes codes() {
    return codes;
  }

  /// Whether these are the products of rows of `dim` channels in those instructions.
  public boolean is(int dim, Instructions set) {
    return codes.dim() == dim && this.set == set;
  }

  /// Tiles of keys that are computed at once: the step of [#score].
  public int tiles(int queries) {
    return set == Instructions.AVX512 ? ScoreCode.tiles(codes, queries) : 1;
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
    if (set == Instructions.AVX2) {
      return pass == SUMS ? Avx2ValueCode.of(codes, queries) : Avx2ScoreCode.of(codes, queries);
    }
    return switch (pass) {
      case SCORES -> ScoreCode.of(codes, queries, tiles(queries));
      case SINGLE_SCORES -> ScoreCode.of(codes, queries, 1);
      default -> ValueCode.of(codes, queries);
    };
  }
}
