package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.format.Hadamard;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/// [Hadamard#transform] on vectors, with the same bits: each butterfly is one addition or
/// subtraction of the same two numbers, in the same order of strides.
///
/// Strides below the vector size exchange lanes: `x[i] = x[i ^ stride] +- x[i]`, where the sign of
/// the lanes with the bit of the stride is minus. Multiplying by a sign is exact, so the fused form
/// rounds once, as an addition does.
final class Rotation {
  private static final int STEPS = Integer.numberOfTrailingZeros(L);

  private static final VectorShuffle<Float> X1 = Lanes.exchange(1);
  private static final VectorShuffle<Float> X2 = Lanes.exchange(2);
  private static final VectorShuffle<Float> X4 = Lanes.exchange(4 % L);
  private static final VectorShuffle<Float> X8 = Lanes.exchange(8 % L);

  /// Lane signs of strides 1, 2, 4, 8.
  private final float[] signs = new float[4 * L];

  Rotation() {
    for (int step = 0; step < 4; step++) {
      for (int i = 0; i < L; i++) {
        signs[step * L + i] = (i >> step & 1) == 0 ? 1 : -1;
      }
    }
  }

  /// Transforms `x[from .. from + dim - 1]` in place, in blocks of `block` elements; see
  /// [Hadamard#transform]. Does nothing for blocks of 1.
  void transform(float[] x, int from, int dim, int block) {
    if (block <= 1) {
      return;
    }
    if (block < L || L < 4) {
      Hadamard.transform(x, from, dim, block);
      return;
    }
    withinVectors(x, from, dim);
    for (int stride = L; stride < block; stride *= 2) {
      acrossVectors(x, from, dim, stride);
    }
    FloatVector factor = FloatVector.broadcast(F, (float) (1 / Math.sqrt(block)));
    for (int i = from; i < from + dim; i += L) {
      FloatVector.fromArray(F, x, i).mul(factor).intoArray(x, i);
    }
  }

  private void withinVectors(float[] x, int from, int dim) {
    FloatVector s1 = FloatVector.fromArray(F, signs, 0);
    FloatVector s2 = FloatVector.fromArray(F, signs, L);
    FloatVector s4 = FloatVector.fromArray(F, signs, 2 * L);
    FloatVector s8 = FloatVector.fromArray(F, signs, 3 * L);
    for (int i = from; i < from + dim; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, i);
      v = v.fma(s1, v.rearrange(X1));
      v = v.fma(s2, v.rearrange(X2));
      if (STEPS > 2) {
        v = v.fma(s4, v.rearrange(X4));
      }
      if (STEPS > 3) {
        v = v.fma(s8, v.rearrange(X8));
      }
      v.intoArray(x, i);
    }
  }

  private static void acrossVectors(float[] x, int from, int dim, int stride) {
    for (int i = from; i < from + dim; i += 2 * stride) {
      for (int j = i; j < i + stride; j += L) {
        FloatVector a = FloatVector.fromArray(F, x, j);
        FloatVector b = FloatVector.fromArray(F, x, j + stride);
        a.add(b).intoArray(x, j);
        a.sub(b).intoArray(x, j + stride);
      }
    }
  }
}
