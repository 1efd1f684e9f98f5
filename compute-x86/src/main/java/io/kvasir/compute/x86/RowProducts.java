package io.kvasir.compute.x86;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// Products of one to four rows of `x` with rows of weights, read where they lie, in machine code.
///
/// The code of a format and a number of rows is made when it is first asked for, and stays.
public final class RowProducts {
  /// Most rows of `x` at a time.
  public static final int MOST_ROWS = 4;

  /// Most weight rows in a group.
  static final int MOST_OUTPUTS = 8;

  private static final Map<TensorType, RowProducts> OF_F32 = all(Operands.F32, Instructions.AVX512);
  private static final Map<TensorType, RowProducts> OF_BF16 =
      all(Operands.BF16, Instructions.AVX512);
  private static final Map<TensorType, RowProducts> OF_F32_IN_AVX2 =
      all(Operands.F32, Instructions.AVX2);

  private final RowFunctions code;
  private final AtomicReferenceArray<MachineCode.@Nullable KeepingFunction> functions =
      new AtomicReferenceArray<>((MOST_ROWS + 1) * (MOST_OUTPUTS + 1));

  private final AtomicReference<MachineCode.@Nullable KeepingFunction> keeping =
      new AtomicReference<>();

  private RowProducts(RowFunctions code) {
    this.code = code;
  }

  private static Map<TensorType, RowProducts> all(Operands operands, Instructions instructions) {
    Map<TensorType, RowProducts> all = new EnumMap<>(TensorType.class);
    if (operands.isSupported(instructions)) {
      for (TensorType type : TensorType.values()) {
        @Nullable RowFunctions code = RowFunctions.of(type, operands, instructions);
        if (code != null) {
          all.put(type, new RowProducts(code));
        }
      }
    }
    return all;
  }

  /// The products of a format, or null where it or the processor has no machine code.
  public static @Nullable RowProducts of(
      TensorType type, Operands operands, Instructions instructions) {
    return switch (instructions) {
      case AVX512 -> (operands == Operands.F32 ? OF_F32 : OF_BF16).get(type);
      case AVX2 -> operands == Operands.F32 ? OF_F32_IN_AVX2.get(type) : null;
    };
  }

  /// Whether rows of so many weights can be multiplied.
  public boolean takes(int columns) {
    return columns > 0 && columns % code.blockWeights() == 0;
  }

  /// Weight rows in a group for so many rows of `x`.
  public int groupSize(int rows) {
    return code.groupSize(rows);
  }

  /// Rows of `x` that [#decode] multiplies with.
  public int rowsBesideDecoding() {
    return code.rowsBesideDecoding();
  }

  /// Multiplies the groups of weight rows of [RowCall#groups] with the rows of [RowCall#inputs].
  /// Afterwards [RowCall#sum] of `(g * rows + r) * group + o` is the product of row `o` of group
  /// `g` with row `r`.
  ///
  /// @param group rows in a group, from 1 to [#groupSize]
  /// @throws IllegalStateException where the weights are closed
  public void multiply(RowCall call, int group, MemorySegment weights) {
    if (call.rows() < 1) {
      throw new IllegalArgumentException("0 rows cannot be multiplied");
    }
    if (call.groups() > 0) {
      call.set(weights.address(), group, code.blockWeights());
      function(call.rows(), group).call(call.address(), weights);
    }
  }

  /// Multiplies the tiles of [RowCall#groups], four weight rows each, with the rows of
  /// [RowCall#inputs], [#rowsBesideDecoding], and writes them decoded to a panel of
  /// [PanelProducts].
  ///
  /// @param panel address of `[tiles, vectors, 4]` vectors of operands
  /// @param to whose results are set, as many rows of them
  /// @throws IllegalStateException where the weights are closed
  public void decode(RowCall call, MemorySegment weights, long panel, PanelCall to) {
    if (call.rows() != rowsBesideDecoding()) {
      throw new IllegalArgumentException(
          "weights are decoded beside %d rows: %d".formatted(rowsBesideDecoding(), call.rows()));
    }
    if (call.groups() < 1 || call.groups() > PanelProducts.MOST_OUTPUTS / PanelProducts.TILE) {
      throw new IllegalArgumentException(call.groups() + " tiles cannot be decoded at a time");
    }
    call.set(weights.address(), 0, code.blockWeights());
    call.keep(panel, to.results().address());
    MachineCode.@Nullable KeepingFunction function = keeping.get();
    if (function == null) {
      function = MachineCode.keeping(code.decoding());
      keeping.set(function);
    }
    function.call(call.address(), weights);
  }

  private MachineCode.KeepingFunction function(int rows, int group) {
    int index = rows * (MOST_OUTPUTS + 1) + group;
    MachineCode.@Nullable KeepingFunction function = functions.get(index);
    if (function == null) {
      function = MachineCode.keeping(code.multiplying(rows, group));
      functions.set(index, function);
    }
    return function;
  }
}
