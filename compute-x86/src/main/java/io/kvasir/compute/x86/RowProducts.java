package io.kvasir.compute.x86;

import io.kvasir.compute.quant.TensorType;
import java.util.EnumMap;
import java.util.Map;
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

  private static final Map<TensorType, RowProducts> OF_TYPE = of();

  private final RowFormat format;
  private final AtomicReferenceArray<MachineCode.@Nullable Function> functions =
      new AtomicReferenceArray<>((MOST_ROWS + 1) * (MOST_OUTPUTS + 1));

  private RowProducts(RowFormat format) {
    this.format = format;
  }

  private static Map<TensorType, RowProducts> of() {
    Map<TensorType, RowProducts> all = new EnumMap<>(TensorType.class);
    if (Processor.here().hasAvx512()) {
      for (TensorType type : TensorType.values()) {
        RowFormat format = RowFormats.of(type);
        if (format != null) {
          all.put(type, new RowProducts(format));
        }
      }
    }
    return all;
  }

  /// The products of a format, or null where it or the processor has no machine code.
  public static @Nullable RowProducts of(TensorType type) {
    return OF_TYPE.get(type);
  }

  /// Whether rows of so many weights can be multiplied.
  public boolean takes(int columns) {
    return columns > 0 && columns % format.blockWeights() == 0;
  }

  /// Weight rows in a group for so many rows of `x`.
  public int groupSize(int rows) {
    return rows == 1 ? MOST_OUTPUTS : 4;
  }

  /// Multiplies groups of rows: row `o` of group `g` starts at `weights + g * step + o * stride`.
  /// Afterwards [RowCall#sum] of `(g * rows + r) * group + o` is its product with row `r`.
  ///
  /// @param call with the rows of `x` of [RowCall#inputs]
  /// @param group rows in a group, from 1 to [#groupSize]
  public void multiply(RowCall call, int group, long weights, long stride, long step, int groups) {
    if (groups > 0) {
      call.set(weights, stride, step, groups, group, format.blockWeights());
      function(call.rows(), group).call(call.address());
    }
  }

  private MachineCode.Function function(int rows, int group) {
    int index = rows * (MOST_OUTPUTS + 1) + group;
    MachineCode.@Nullable Function function = functions.get(index);
    if (function == null) {
      function = MachineCode.of(RowCode.of(format, rows, group));
      functions.set(index, function);
    }
    return function;
  }
}
