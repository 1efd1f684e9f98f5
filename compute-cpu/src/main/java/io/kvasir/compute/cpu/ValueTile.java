package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import jdk.incubator.vector.FloatVector;

/// The second half of attention: `acc[q] += sum over j of p[q, j] v[j]`, in the order of `j`, one
/// fused multiply-add per term and element.
///
/// `v` are unpacked value rows; four queries at a time share their loads. Scales of the rows'
/// groups of channels are part of the weights, which then differ from group to group. Where the
/// queries see different parts of a tile they are computed one by one, with the same bits.
final class ValueTile {
  /// Decoded value rows, row `j` at `j * valueStride`.
  float[] values = {};

  int valueStride;

  /// Elements of a value row that count.
  int dim;

  /// Channels whose weights are the same; 0 for all.
  int group;

  /// Weights. That of row `j` for the channels of group `g`, of the call's query `n`, is at
  /// `weightAt[n] + g * groupStride + j`.
  float[] weights = {};

  final int[] weightAt = new int[4];
  int groupStride;

  /// Sums, those of query `q` at `q * dim`.
  float[] acc = {};

  /// Adds rows `from .. to - 1` to queries `q .. q + 3`.
  void addFour(int q, int from, int to) {
    int vectors = F.loopBound(dim);
    int d = 0;
    while (d < vectors) {
      int span = span(d, vectors);
      if (span >= 4 * L) {
        fourByFour(q, d, from, to);
        d += 4 * L;
      } else if (span >= 2 * L) {
        fourByTwo(q, d, from, to);
        d += 2 * L;
      } else {
        fourByOne(q, d, from, to);
        d += L;
      }
    }
    if (d < dim) {
      for (int i = 0; i < 4; i++) {
        rest(i, q + i, d, from, to);
      }
    }
  }

  /// Adds rows `from .. to - 1` to query `q`.
  void addOne(int q, int from, int to) {
    int vectors = F.loopBound(dim);
    int d = 0;
    while (d < vectors) {
      if (span(d, vectors) >= 4 * L) {
        oneByFour(q, d, from, to);
        d += 4 * L;
      } else {
        oneByOne(q, d, from, to);
        d += L;
      }
    }
    if (d < dim) {
      rest(0, q, d, from, to);
    }
  }

  /// Channels from `d` on that have the same weights and are before `end`.
  private int span(int d, int end) {
    return group == 0 ? end - d : Math.min(end, (d / group + 1) * group) - d;
  }

  /// Where the weights of query `i` for channel `d` are.
  private int weightsOf(int i, int d) {
    return group == 0 ? weightAt[i] : weightAt[i] + d / group * groupStride;
  }

  private void fourByFour(int q, int d, int from, int to) {
    float[] p = weights;
    float[] v = values;
    float[] a = acc;
    int p0 = weightsOf(0, d);
    int p1 = weightsOf(1, d);
    int p2 = weightsOf(2, d);
    int p3 = weightsOf(3, d);
    int at0 = q * dim + d;
    int at1 = at0 + dim;
    int at2 = at1 + dim;
    int at3 = at2 + dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + L);
    FloatVector a02 = FloatVector.fromArray(F, a, at0 + 2 * L);
    FloatVector a03 = FloatVector.fromArray(F, a, at0 + 3 * L);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a11 = FloatVector.fromArray(F, a, at1 + L);
    FloatVector a12 = FloatVector.fromArray(F, a, at1 + 2 * L);
    FloatVector a13 = FloatVector.fromArray(F, a, at1 + 3 * L);
    FloatVector a20 = FloatVector.fromArray(F, a, at2);
    FloatVector a21 = FloatVector.fromArray(F, a, at2 + L);
    FloatVector a22 = FloatVector.fromArray(F, a, at2 + 2 * L);
    FloatVector a23 = FloatVector.fromArray(F, a, at2 + 3 * L);
    FloatVector a30 = FloatVector.fromArray(F, a, at3);
    FloatVector a31 = FloatVector.fromArray(F, a, at3 + L);
    FloatVector a32 = FloatVector.fromArray(F, a, at3 + 2 * L);
    FloatVector a33 = FloatVector.fromArray(F, a, at3 + 3 * L);
    for (int j = from; j < to; j++) {
      int row = j * valueStride + d;
      FloatVector v0 = FloatVector.fromArray(F, v, row);
      FloatVector v1 = FloatVector.fromArray(F, v, row + L);
      FloatVector v2 = FloatVector.fromArray(F, v, row + 2 * L);
      FloatVector v3 = FloatVector.fromArray(F, v, row + 3 * L);
      FloatVector w = FloatVector.broadcast(F, p[p0 + j]);
      a00 = w.fma(v0, a00);
      a01 = w.fma(v1, a01);
      a02 = w.fma(v2, a02);
      a03 = w.fma(v3, a03);
      w = FloatVector.broadcast(F, p[p1 + j]);
      a10 = w.fma(v0, a10);
      a11 = w.fma(v1, a11);
      a12 = w.fma(v2, a12);
      a13 = w.fma(v3, a13);
      w = FloatVector.broadcast(F, p[p2 + j]);
      a20 = w.fma(v0, a20);
      a21 = w.fma(v1, a21);
      a22 = w.fma(v2, a22);
      a23 = w.fma(v3, a23);
      w = FloatVector.broadcast(F, p[p3 + j]);
      a30 = w.fma(v0, a30);
      a31 = w.fma(v1, a31);
      a32 = w.fma(v2, a32);
      a33 = w.fma(v3, a33);
    }
    a00.intoArray(a, at0);
    a01.intoArray(a, at0 + L);
    a02.intoArray(a, at0 + 2 * L);
    a03.intoArray(a, at0 + 3 * L);
    a10.intoArray(a, at1);
    a11.intoArray(a, at1 + L);
    a12.intoArray(a, at1 + 2 * L);
    a13.intoArray(a, at1 + 3 * L);
    a20.intoArray(a, at2);
    a21.intoArray(a, at2 + L);
    a22.intoArray(a, at2 + 2 * L);
    a23.intoArray(a, at2 + 3 * L);
    a30.intoArray(a, at3);
    a31.intoArray(a, at3 + L);
    a32.intoArray(a, at3 + 2 * L);
    a33.intoArray(a, at3 + 3 * L);
  }

  private void fourByTwo(int q, int d, int from, int to) {
    float[] p = weights;
    float[] v = values;
    float[] a = acc;
    int p0 = weightsOf(0, d);
    int p1 = weightsOf(1, d);
    int p2 = weightsOf(2, d);
    int p3 = weightsOf(3, d);
    int at0 = q * dim + d;
    int at1 = at0 + dim;
    int at2 = at1 + dim;
    int at3 = at2 + dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + L);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a11 = FloatVector.fromArray(F, a, at1 + L);
    FloatVector a20 = FloatVector.fromArray(F, a, at2);
    FloatVector a21 = FloatVector.fromArray(F, a, at2 + L);
    FloatVector a30 = FloatVector.fromArray(F, a, at3);
    FloatVector a31 = FloatVector.fromArray(F, a, at3 + L);
    for (int j = from; j < to; j++) {
      int row = j * valueStride + d;
      FloatVector v0 = FloatVector.fromArray(F, v, row);
      FloatVector v1 = FloatVector.fromArray(F, v, row + L);
      FloatVector w = FloatVector.broadcast(F, p[p0 + j]);
      a00 = w.fma(v0, a00);
      a01 = w.fma(v1, a01);
      w = FloatVector.broadcast(F, p[p1 + j]);
      a10 = w.fma(v0, a10);
      a11 = w.fma(v1, a11);
      w = FloatVector.broadcast(F, p[p2 + j]);
      a20 = w.fma(v0, a20);
      a21 = w.fma(v1, a21);
      w = FloatVector.broadcast(F, p[p3 + j]);
      a30 = w.fma(v0, a30);
      a31 = w.fma(v1, a31);
    }
    a00.intoArray(a, at0);
    a01.intoArray(a, at0 + L);
    a10.intoArray(a, at1);
    a11.intoArray(a, at1 + L);
    a20.intoArray(a, at2);
    a21.intoArray(a, at2 + L);
    a30.intoArray(a, at3);
    a31.intoArray(a, at3 + L);
  }

  private void fourByOne(int q, int d, int from, int to) {
    float[] p = weights;
    float[] v = values;
    int p0 = weightsOf(0, d);
    int p1 = weightsOf(1, d);
    int p2 = weightsOf(2, d);
    int p3 = weightsOf(3, d);
    int at = q * dim + d;
    FloatVector a0 = FloatVector.fromArray(F, acc, at);
    FloatVector a1 = FloatVector.fromArray(F, acc, at + dim);
    FloatVector a2 = FloatVector.fromArray(F, acc, at + 2 * dim);
    FloatVector a3 = FloatVector.fromArray(F, acc, at + 3 * dim);
    for (int j = from; j < to; j++) {
      FloatVector row = FloatVector.fromArray(F, v, j * valueStride + d);
      a0 = row.fma(FloatVector.broadcast(F, p[p0 + j]), a0);
      a1 = row.fma(FloatVector.broadcast(F, p[p1 + j]), a1);
      a2 = row.fma(FloatVector.broadcast(F, p[p2 + j]), a2);
      a3 = row.fma(FloatVector.broadcast(F, p[p3 + j]), a3);
    }
    a0.intoArray(acc, at);
    a1.intoArray(acc, at + dim);
    a2.intoArray(acc, at + 2 * dim);
    a3.intoArray(acc, at + 3 * dim);
  }

  private void oneByFour(int q, int d, int from, int to) {
    float[] p = weights;
    float[] v = values;
    int p0 = weightsOf(0, d);
    int at = q * dim + d;
    FloatVector a0 = FloatVector.fromArray(F, acc, at);
    FloatVector a1 = FloatVector.fromArray(F, acc, at + L);
    FloatVector a2 = FloatVector.fromArray(F, acc, at + 2 * L);
    FloatVector a3 = FloatVector.fromArray(F, acc, at + 3 * L);
    for (int j = from; j < to; j++) {
      int row = j * valueStride + d;
      FloatVector w = FloatVector.broadcast(F, p[p0 + j]);
      a0 = w.fma(FloatVector.fromArray(F, v, row), a0);
      a1 = w.fma(FloatVector.fromArray(F, v, row + L), a1);
      a2 = w.fma(FloatVector.fromArray(F, v, row + 2 * L), a2);
      a3 = w.fma(FloatVector.fromArray(F, v, row + 3 * L), a3);
    }
    a0.intoArray(acc, at);
    a1.intoArray(acc, at + L);
    a2.intoArray(acc, at + 2 * L);
    a3.intoArray(acc, at + 3 * L);
  }

  private void oneByOne(int q, int d, int from, int to) {
    int p0 = weightsOf(0, d);
    FloatVector a = FloatVector.fromArray(F, acc, q * dim + d);
    for (int j = from; j < to; j++) {
      a =
          FloatVector.broadcast(F, weights[p0 + j])
              .fma(FloatVector.fromArray(F, values, j * valueStride + d), a);
    }
    a.intoArray(acc, q * dim + d);
  }

  /// The elements after the last whole vector, with the weights of query `i` of the call.
  private void rest(int i, int q, int d, int from, int to) {
    for (int c = d; c < dim; c++) {
      int p0 = weightsOf(i, c);
      float a = acc[q * dim + c];
      for (int j = from; j < to; j++) {
        a = Math.fma(weights[p0 + j], values[j * valueStride + c], a);
      }
      acc[q * dim + c] = a;
    }
  }
}
