package io.kvasir.compute.x86;

import io.kvasir.compute.quant.TensorType;
import org.jspecify.annotations.Nullable;

/// The functions of [RowProducts] for one number format, by the instructions they are of.
interface RowFunctions {
  /// Weights in a block.
  int blockWeights();

  /// Most weight rows in a group for so many rows of `x`.
  int groupSize(int rows);

  /// The function for so many rows of `x` and groups of so many weight rows.
  byte[] multiplying(int rows, int group);

  /// The function that decodes groups of four weight rows, beside multiplying them with some rows.
  byte[] decoding();

  /// How many rows of `x` that function multiplies with.
  int rowsBesideDecoding();

  /// The functions for a type, or null where there are none.
  static @Nullable RowFunctions of(TensorType type, Operands operands, Instructions instructions) {
    return switch (instructions) {
      case AVX512 -> {
        @Nullable RowFormat format = RowFormats.of(type, operands);
        yield format == null ? null : new Avx512(format, operands);
      }
      case AVX2 -> {
        @Nullable Avx2RowFormat format = operands == Operands.F32 ? Avx2Rows.of(type) : null;
        yield format == null ? null : new Avx2(format);
      }
    };
  }

  /// Functions of [RowCode].
  record Avx512(RowFormat format, Operands operands) implements RowFunctions {
    @Override
    public int blockWeights() {
      return format.blockWeights();
    }

    @Override
    public int groupSize(int rows) {
      return rows == 1 ? format.outputsAlone() : QuadSum.OUTPUTS;
    }

    @Override
    public byte[] multiplying(int rows, int group) {
      return RowCode.of(format, operands, rows, group);
    }

    @Override
    public byte[] decoding() {
      return RowCode.keeping(format, operands, rowsBesideDecoding());
    }

    @Override
    public int rowsBesideDecoding() {
      return RowProducts.MOST_ROWS;
    }
  }

  /// Functions of [Avx2RowCode].
  record Avx2(Avx2RowFormat format) implements RowFunctions {
    @Override
    public int blockWeights() {
      return format.blockWeights();
    }

    @Override
    public int groupSize(int rows) {
      return Avx2RowCode.outputs(rows);
    }

    @Override
    public byte[] multiplying(int rows, int group) {
      return Avx2RowCode.of(format, rows, group);
    }

    @Override
    public byte[] decoding() {
      return Avx2RowCode.decoding(format);
    }

    @Override
    public int rowsBesideDecoding() {
      return 0;
    }
  }
}
