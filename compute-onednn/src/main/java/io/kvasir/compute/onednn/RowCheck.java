package io.kvasir.compute.onednn;

import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// Finds out which sizes of [MatmulShape#SIZES] give a row the same bits: products of 512 rows, cut
/// into pieces of each size, are compared with each other and with the same rows in other places.
///
/// Which those are depends on the instructions that the library chooses: all on machines with
/// AVX-512, and with AMX only those that fill its tiles.
final class RowCheck {
  // Longer than the 1,024 that the library sums at once, and no multiple of it; and as long as the
  // inner rows of models are.
  private static final int[] INPUTS = {1600, 8192};
  private static final int[] OUTPUTS = {192, 64};
  private static final int ROWS = 512;

  /// Where a set has no size up to this, decoding would multiply mostly zeros.
  private static final int MOST_FOR_ONE_ROW = 64;

  /// Where a set has no size from this on, prompts would read the weights too often.
  private static final int LEAST_FOR_MANY_ROWS = 16;

  private final OneDnnMatrices matrices;
  private final float[][] x = new float[INPUTS.length][];
  private final MatrixProvider.Packed[] weights = new MatrixProvider.Packed[INPUTS.length];

  RowCheck(OneDnnMatrices matrices) {
    this.matrices = matrices;
    SplittableRandom random = new SplittableRandom(1);
    for (int s = 0; s < INPUTS.length; s++) {
      float[] w = random(OUTPUTS[s] * INPUTS[s], random);
      x[s] = random(ROWS * INPUTS[s], random);
      MemorySegment data = MemorySegment.ofArray(new byte[w.length * Float.BYTES]);
      data.copyFrom(MemorySegment.ofArray(w));
      long[] shape = {OUTPUTS[s], INPUTS[s]};
      weights[s] = new PackedTensor(matrices, new Tensor("check", TensorType.F32, shape, data));
    }
  }

  private static float[] random(int count, SplittableRandom random) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /// The sizes that agree, bit `i` for size `i`: with the largest that is in a set with a small
  /// one. 0 where there is no such set.
  int alikeSizes() {
    int sizes = MatmulShape.SIZES.length;
    float[] @Nullable [][] products = new float[sizes][][];
    for (int i = 0; i < sizes; i++) {
      matrices.useSizes(1 << i);
      float[][] own = products(0, ROWS);
      products[i] = isAlike(own, 1, ROWS - 1) && isAlike(own, 77, 3) ? own : null;
    }
    for (int i = 0; i < sizes && MatmulShape.SIZES[i] <= MOST_FOR_ONE_ROW; i++) {
      int set = 0;
      for (int j = i; j < sizes; j++) {
        if (products[i] != null && Arrays.deepEquals(products[i], products[j])) {
          set |= 1 << j;
        }
      }
      if (MatmulShape.SIZES[MatmulShape.sizeOf(ROWS, set)] >= LEAST_FOR_MANY_ROWS) {
        return set;
      }
    }
    return 0;
  }

  /// Products of rows `from .. from + count - 1` with both matrices.
  private float[][] products(int from, int count) {
    float[][] out = new float[INPUTS.length][];
    for (int s = 0; s < INPUTS.length; s++) {
      out[s] = new float[count * OUTPUTS[s]];
      weights[s].multiply(
          new MatrixProvider.Rows(x[s], from * INPUTS[s], INPUTS[s]),
          new MatrixProvider.Rows(out[s], 0, OUTPUTS[s]),
          count);
    }
    return out;
  }

  private boolean isAlike(float[][] all, int from, int count) {
    float[][] some = products(from, count);
    for (int s = 0; s < INPUTS.length; s++) {
      int at = from * OUTPUTS[s];
      if (!Arrays.equals(some[s], 0, some[s].length, all[s], at, at + some[s].length)) {
        return false;
      }
    }
    return true;
  }
}
