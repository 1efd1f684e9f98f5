package io.kvasir.compute.onednn;

import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Asks whether a row's bits depend on the number of rows that are multiplied at once: a product of
/// 512 rows is compared with the same rows alone, in fours and in the other buckets.
final class RowCheck {
  // Longer than the 1,024 that the library sums at once, and no multiple of it.
  private static final int INPUTS = 1600;
  private static final int OUTPUTS = 192;
  private static final int ROWS = 512;

  private final OneDnnMatrices matrices;
  private final float[] x = new float[ROWS * INPUTS];
  private final float[] expected = new float[ROWS * OUTPUTS];

  RowCheck(OneDnnMatrices matrices) {
    this.matrices = matrices;
  }

  boolean rowsAreAlike() {
    SplittableRandom random = new SplittableRandom(1);
    float[] w = new float[OUTPUTS * INPUTS];
    fill(w, random);
    fill(x, random);
    MemorySegment data = MemorySegment.ofArray(new byte[w.length * Float.BYTES]);
    data.copyFrom(MemorySegment.ofArray(w));
    Tensor tensor = new Tensor("check", TensorType.F32, new long[] {OUTPUTS, INPUTS}, data);
    MatrixProvider.Packed packed = new PackedTensor(matrices, tensor);
    packed.multiply(rowsFrom(0), new MatrixProvider.Rows(expected, 0, OUTPUTS), ROWS);
    for (int rows : new int[] {1, 3, 4, 7, 16, 17, 64, 100}) {
      if (!isAlike(packed, 0, rows) || !isAlike(packed, ROWS - rows, rows)) {
        return false;
      }
    }
    return true;
  }

  private static void fill(float[] values, SplittableRandom random) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
  }

  private boolean isAlike(MatrixProvider.Packed packed, int from, int rows) {
    float[] out = new float[rows * OUTPUTS];
    packed.multiply(rowsFrom(from), new MatrixProvider.Rows(out, 0, OUTPUTS), rows);
    return Arrays.equals(out, 0, out.length, expected, from * OUTPUTS, (from + rows) * OUTPUTS);
  }

  private MatrixProvider.Rows rowsFrom(int row) {
    return new MatrixProvider.Rows(x, row * INPUTS, INPUTS);
  }
}
