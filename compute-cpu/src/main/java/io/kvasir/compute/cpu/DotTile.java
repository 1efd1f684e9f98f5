package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/// Sixteen dot products at once: four rows of `x` with four rows of `w`, both f32 on the heap.
///
/// `sums[4 r + o] = sum over k of x[xAt[r] + k] * w[wAt[o] + k]`, summed in the order of [Lanes].
/// Each pair has one accumulator, so the result of a pair is the same whatever the other rows are;
/// rows at the edge of a matrix repeat a neighbour. 16 multiply-adds for 8 loads a vector step.
///
/// One instance per thread.
final class DotTile {
  static final int SIDE = 4;

  private static final VectorShuffle<Float> X8 = Lanes.exchange(8);
  private static final VectorShuffle<Float> X4 = Lanes.exchange(4);
  private static final VectorShuffle<Float> X2 = Lanes.exchange(2);
  private static final VectorShuffle<Float> X1 = Lanes.exchange(1);
  private static final VectorMask<Float> U8 = Lanes.upper(8);
  private static final VectorMask<Float> U4 = Lanes.upper(4);
  private static final VectorMask<Float> U2 = Lanes.upper(2);
  private static final VectorMask<Float> U1 = Lanes.upper(1);

  /// The results, and room for the accumulators on the way.
  final float[] sums = new float[SIDE * SIDE * L];

  private final int[] wAt = new int[SIDE];
  private final int[] xAt = new int[SIDE];

  /// Rows `first .. first + 3` of `w`, not beyond `last`.
  void weightRows(int base, int stride, int first, int last) {
    for (int i = 0; i < SIDE; i++) {
      wAt[i] = base + Math.min(first + i, last) * stride;
    }
  }

  /// Row `i` of the four rows of `x` starts at `at`.
  void inputRow(int i, int at) {
    xAt[i] = at;
  }

  /// Computes [#sums] over `columns` elements.
  void multiply(float[] w, float[] x, int columns) {
    int end = F.loopBound(columns);
    accumulate(w, x, end);
    if (L != 16) {
      reduceEach();
    }
    if (end < columns) {
      addTail(w, x, end, columns);
    }
  }

  /// With 16 lanes the tree of [Lanes#sum] runs over all sixteen accumulators at once. A step takes
  /// vectors `v` and `v + d` to one that holds the pairwise sums of lanes `d` apart, those of `v`
  /// in the lanes without bit `d`, so that in the end lane `v` is the sum of vector `v`.
  private void accumulate(float[] w, float[] x, int end) {
    int w0 = wAt[0];
    int w1 = wAt[1];
    int w2 = wAt[2];
    int w3 = wAt[3];
    int x0 = xAt[0];
    int x1 = xAt[1];
    int x2 = xAt[2];
    int x3 = xAt[3];
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a02 = a00;
    FloatVector a03 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a12 = a00;
    FloatVector a13 = a00;
    FloatVector a20 = a00;
    FloatVector a21 = a00;
    FloatVector a22 = a00;
    FloatVector a23 = a00;
    FloatVector a30 = a00;
    FloatVector a31 = a00;
    FloatVector a32 = a00;
    FloatVector a33 = a00;
    for (int k = 0; k < end; k += L) {
      FloatVector b0 = FloatVector.fromArray(F, w, w0 + k);
      FloatVector b1 = FloatVector.fromArray(F, w, w1 + k);
      FloatVector b2 = FloatVector.fromArray(F, w, w2 + k);
      FloatVector b3 = FloatVector.fromArray(F, w, w3 + k);
      FloatVector v = FloatVector.fromArray(F, x, x0 + k);
      a00 = v.fma(b0, a00);
      a01 = v.fma(b1, a01);
      a02 = v.fma(b2, a02);
      a03 = v.fma(b3, a03);
      v = FloatVector.fromArray(F, x, x1 + k);
      a10 = v.fma(b0, a10);
      a11 = v.fma(b1, a11);
      a12 = v.fma(b2, a12);
      a13 = v.fma(b3, a13);
      v = FloatVector.fromArray(F, x, x2 + k);
      a20 = v.fma(b0, a20);
      a21 = v.fma(b1, a21);
      a22 = v.fma(b2, a22);
      a23 = v.fma(b3, a23);
      v = FloatVector.fromArray(F, x, x3 + k);
      a30 = v.fma(b0, a30);
      a31 = v.fma(b1, a31);
      a32 = v.fma(b2, a32);
      a33 = v.fma(b3, a33);
    }
    float[] s = sums;
    if (L == 16) {
      a00 = a00.blend(a20, U8).add(a20.blend(a00, U8).rearrange(X8));
      a01 = a01.blend(a21, U8).add(a21.blend(a01, U8).rearrange(X8));
      a02 = a02.blend(a22, U8).add(a22.blend(a02, U8).rearrange(X8));
      a03 = a03.blend(a23, U8).add(a23.blend(a03, U8).rearrange(X8));
      a10 = a10.blend(a30, U8).add(a30.blend(a10, U8).rearrange(X8));
      a11 = a11.blend(a31, U8).add(a31.blend(a11, U8).rearrange(X8));
      a12 = a12.blend(a32, U8).add(a32.blend(a12, U8).rearrange(X8));
      a13 = a13.blend(a33, U8).add(a33.blend(a13, U8).rearrange(X8));
      a00 = a00.blend(a10, U4).add(a10.blend(a00, U4).rearrange(X4));
      a01 = a01.blend(a11, U4).add(a11.blend(a01, U4).rearrange(X4));
      a02 = a02.blend(a12, U4).add(a12.blend(a02, U4).rearrange(X4));
      a03 = a03.blend(a13, U4).add(a13.blend(a03, U4).rearrange(X4));
      a00 = a00.blend(a02, U2).add(a02.blend(a00, U2).rearrange(X2));
      a01 = a01.blend(a03, U2).add(a03.blend(a01, U2).rearrange(X2));
      a00 = a00.blend(a01, U1).add(a01.blend(a00, U1).rearrange(X1));
      a00.intoArray(s, 0);
      return;
    }
    a00.intoArray(s, 0);
    a01.intoArray(s, L);
    a02.intoArray(s, 2 * L);
    a03.intoArray(s, 3 * L);
    a10.intoArray(s, 4 * L);
    a11.intoArray(s, 5 * L);
    a12.intoArray(s, 6 * L);
    a13.intoArray(s, 7 * L);
    a20.intoArray(s, 8 * L);
    a21.intoArray(s, 9 * L);
    a22.intoArray(s, 10 * L);
    a23.intoArray(s, 11 * L);
    a30.intoArray(s, 12 * L);
    a31.intoArray(s, 13 * L);
    a32.intoArray(s, 14 * L);
    a33.intoArray(s, 15 * L);
  }

  private void reduceEach() {
    for (int v = 0; v < SIDE * SIDE; v++) {
      float sum = Lanes.sum(sums, v * L);
      sums[v] = sum;
    }
  }

  private void addTail(float[] w, float[] x, int from, int columns) {
    for (int r = 0; r < SIDE; r++) {
      for (int o = 0; o < SIDE; o++) {
        float sum = sums[SIDE * r + o];
        for (int k = from; k < columns; k++) {
          sum = Math.fma(x[xAt[r] + k], w[wAt[o] + k], sum);
        }
        sums[SIDE * r + o] = sum;
      }
    }
  }
}
