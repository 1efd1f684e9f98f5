package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/// Products of up to six rows of `x` with a panel of weight rows, both packed in native memory, in
/// the order of [Lanes], for machines with 16 lanes and 32 vector registers.
///
/// Six by four pairs are computed at a time: 24 accumulators, 10 loads for 24 multiply-adds a
/// vector step. A tile of `R` rows of `x` lies vector after vector, `[vectors, R, 16]`, and four
/// rows of weights the same, so that the loop reads two streams of whole cache lines: rows on the
/// heap are never aligned, and a load that spans two lines costs two. K is cut into pieces whose
/// part of `x` stays in the L1 cache; between pieces the accumulators rest in memory, which does
/// not change the order of additions.
///
/// Measured on Zen 5 (231 GFLOP per second is its peak at 3.6 GHz): 206 to 223 with pieces of 512
/// to 2048, against 97 for unpacked rows four by four. Eight by three is not compiled: the method
/// runs out of the compiler's budget for inlining.
///
/// One instance per thread.
final class PanelTile {
  /// Rows of `x` in a tile, and of the smaller tile for a rest of at most so many.
  static final int ROWS = 6;

  static final int FEW_ROWS = 3;

  /// Weight rows in a tile.
  static final int OUTPUTS = 4;

  /// Whether this machine has the vectors that tiles are made for.
  static final boolean SUPPORTED = L == 16;

  private static final long VECTOR = (long) L * Float.BYTES;
  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();

  /// Vectors of K in a piece: 6 rows of 64 vectors are 24 KiB.
  private static final int PIECE = 64;

  private static final VectorShuffle<Float> X8 = Lanes.exchange(8 % L);
  private static final VectorShuffle<Float> X4 = Lanes.exchange(4 % L);
  private static final VectorShuffle<Float> X2 = Lanes.exchange(2);
  private static final VectorShuffle<Float> X1 = Lanes.exchange(1);
  private static final VectorMask<Float> U8 = Lanes.upper(8);
  private static final VectorMask<Float> U4 = Lanes.upper(4);
  private static final VectorMask<Float> U2 = Lanes.upper(2);
  private static final VectorMask<Float> U1 = Lanes.upper(1);

  private float[] lanes = {};

  /// Results after [#multiply]: of row `r` and output `4 t + o` at `(4 R) t + 4 r + o`.
  float[] sums = {};

  /// The size of tiles that a matrix with so many rows from `row` on starts with.
  static int tileRows(int row, int rows) {
    return rows - row <= FEW_ROWS ? FEW_ROWS : ROWS;
  }

  /// Computes [#sums] of one tile of `x` and `tiles` tiles of weights over `vectors` vectors.
  ///
  /// @param xAt byte offset of the tile of `rows` rows, which is [#ROWS] or [#FEW_ROWS]
  void multiply(MemorySegment x, long xAt, int rows, MemorySegment w, int tiles, int vectors) {
    int pairs = rows * OUTPUTS;
    int room = (tiles * pairs + L - 1) / L * L;
    if (sums.length < room) {
      sums = new float[room];
      lanes = new float[room * L];
    }
    Arrays.fill(lanes, 0, tiles * pairs * L, 0f);
    for (int v = 0; v < vectors; v += PIECE) {
      int steps = Math.min(PIECE, vectors - v);
      long xPiece = xAt + VECTOR * rows * v;
      for (int t = 0; t < tiles; t++) {
        long wPiece = ((long) t * vectors + v) * OUTPUTS * VECTOR;
        if (rows == ROWS) {
          six(x, w, steps, lanes, t * pairs * L, xPiece, wPiece);
        } else {
          three(x, w, steps, lanes, t * pairs * L, xPiece, wPiece);
        }
      }
    }
    for (int i = 0; i < tiles * pairs; i += L) {
      sixteenSums(lanes, i * L, sums, i);
    }
  }

  /// One piece of 24 pairs: `sums` holds their accumulators, `[6, 4, L]` from `at` on.
  private static void six(
      MemorySegment x, MemorySegment w, int steps, float[] sums, int at, long xAt, long wAt) {
    FloatVector a00 = FloatVector.fromArray(F, sums, at + 0 * L);
    FloatVector a01 = FloatVector.fromArray(F, sums, at + 1 * L);
    FloatVector a02 = FloatVector.fromArray(F, sums, at + 2 * L);
    FloatVector a03 = FloatVector.fromArray(F, sums, at + 3 * L);
    FloatVector a10 = FloatVector.fromArray(F, sums, at + 4 * L);
    FloatVector a11 = FloatVector.fromArray(F, sums, at + 5 * L);
    FloatVector a12 = FloatVector.fromArray(F, sums, at + 6 * L);
    FloatVector a13 = FloatVector.fromArray(F, sums, at + 7 * L);
    FloatVector a20 = FloatVector.fromArray(F, sums, at + 8 * L);
    FloatVector a21 = FloatVector.fromArray(F, sums, at + 9 * L);
    FloatVector a22 = FloatVector.fromArray(F, sums, at + 10 * L);
    FloatVector a23 = FloatVector.fromArray(F, sums, at + 11 * L);
    FloatVector a30 = FloatVector.fromArray(F, sums, at + 12 * L);
    FloatVector a31 = FloatVector.fromArray(F, sums, at + 13 * L);
    FloatVector a32 = FloatVector.fromArray(F, sums, at + 14 * L);
    FloatVector a33 = FloatVector.fromArray(F, sums, at + 15 * L);
    FloatVector a40 = FloatVector.fromArray(F, sums, at + 16 * L);
    FloatVector a41 = FloatVector.fromArray(F, sums, at + 17 * L);
    FloatVector a42 = FloatVector.fromArray(F, sums, at + 18 * L);
    FloatVector a43 = FloatVector.fromArray(F, sums, at + 19 * L);
    FloatVector a50 = FloatVector.fromArray(F, sums, at + 20 * L);
    FloatVector a51 = FloatVector.fromArray(F, sums, at + 21 * L);
    FloatVector a52 = FloatVector.fromArray(F, sums, at + 22 * L);
    FloatVector a53 = FloatVector.fromArray(F, sums, at + 23 * L);
    for (int k = 0; k < steps; k++) {
      long p = xAt + 6 * VECTOR * k;
      long q = wAt + 4 * VECTOR * k;
      FloatVector b0 = FloatVector.fromMemorySegment(F, w, q, NATIVE);
      FloatVector b1 = FloatVector.fromMemorySegment(F, w, q + VECTOR, NATIVE);
      FloatVector b2 = FloatVector.fromMemorySegment(F, w, q + 2 * VECTOR, NATIVE);
      FloatVector b3 = FloatVector.fromMemorySegment(F, w, q + 3 * VECTOR, NATIVE);
      FloatVector v = FloatVector.fromMemorySegment(F, x, p, NATIVE);
      a00 = v.fma(b0, a00);
      a01 = v.fma(b1, a01);
      a02 = v.fma(b2, a02);
      a03 = v.fma(b3, a03);
      v = FloatVector.fromMemorySegment(F, x, p + VECTOR, NATIVE);
      a10 = v.fma(b0, a10);
      a11 = v.fma(b1, a11);
      a12 = v.fma(b2, a12);
      a13 = v.fma(b3, a13);
      v = FloatVector.fromMemorySegment(F, x, p + 2 * VECTOR, NATIVE);
      a20 = v.fma(b0, a20);
      a21 = v.fma(b1, a21);
      a22 = v.fma(b2, a22);
      a23 = v.fma(b3, a23);
      v = FloatVector.fromMemorySegment(F, x, p + 3 * VECTOR, NATIVE);
      a30 = v.fma(b0, a30);
      a31 = v.fma(b1, a31);
      a32 = v.fma(b2, a32);
      a33 = v.fma(b3, a33);
      v = FloatVector.fromMemorySegment(F, x, p + 4 * VECTOR, NATIVE);
      a40 = v.fma(b0, a40);
      a41 = v.fma(b1, a41);
      a42 = v.fma(b2, a42);
      a43 = v.fma(b3, a43);
      v = FloatVector.fromMemorySegment(F, x, p + 5 * VECTOR, NATIVE);
      a50 = v.fma(b0, a50);
      a51 = v.fma(b1, a51);
      a52 = v.fma(b2, a52);
      a53 = v.fma(b3, a53);
    }
    a00.intoArray(sums, at + 0 * L);
    a01.intoArray(sums, at + 1 * L);
    a02.intoArray(sums, at + 2 * L);
    a03.intoArray(sums, at + 3 * L);
    a10.intoArray(sums, at + 4 * L);
    a11.intoArray(sums, at + 5 * L);
    a12.intoArray(sums, at + 6 * L);
    a13.intoArray(sums, at + 7 * L);
    a20.intoArray(sums, at + 8 * L);
    a21.intoArray(sums, at + 9 * L);
    a22.intoArray(sums, at + 10 * L);
    a23.intoArray(sums, at + 11 * L);
    a30.intoArray(sums, at + 12 * L);
    a31.intoArray(sums, at + 13 * L);
    a32.intoArray(sums, at + 14 * L);
    a33.intoArray(sums, at + 15 * L);
    a40.intoArray(sums, at + 16 * L);
    a41.intoArray(sums, at + 17 * L);
    a42.intoArray(sums, at + 18 * L);
    a43.intoArray(sums, at + 19 * L);
    a50.intoArray(sums, at + 20 * L);
    a51.intoArray(sums, at + 21 * L);
    a52.intoArray(sums, at + 22 * L);
    a53.intoArray(sums, at + 23 * L);
  }

  /// As [#six] for three rows.
  private static void three(
      MemorySegment x, MemorySegment w, int steps, float[] sums, int at, long xAt, long wAt) {
    FloatVector a00 = FloatVector.fromArray(F, sums, at + 0 * L);
    FloatVector a01 = FloatVector.fromArray(F, sums, at + 1 * L);
    FloatVector a02 = FloatVector.fromArray(F, sums, at + 2 * L);
    FloatVector a03 = FloatVector.fromArray(F, sums, at + 3 * L);
    FloatVector a10 = FloatVector.fromArray(F, sums, at + 4 * L);
    FloatVector a11 = FloatVector.fromArray(F, sums, at + 5 * L);
    FloatVector a12 = FloatVector.fromArray(F, sums, at + 6 * L);
    FloatVector a13 = FloatVector.fromArray(F, sums, at + 7 * L);
    FloatVector a20 = FloatVector.fromArray(F, sums, at + 8 * L);
    FloatVector a21 = FloatVector.fromArray(F, sums, at + 9 * L);
    FloatVector a22 = FloatVector.fromArray(F, sums, at + 10 * L);
    FloatVector a23 = FloatVector.fromArray(F, sums, at + 11 * L);
    for (int k = 0; k < steps; k++) {
      long p = xAt + 3 * VECTOR * k;
      long q = wAt + 4 * VECTOR * k;
      FloatVector b0 = FloatVector.fromMemorySegment(F, w, q, NATIVE);
      FloatVector b1 = FloatVector.fromMemorySegment(F, w, q + VECTOR, NATIVE);
      FloatVector b2 = FloatVector.fromMemorySegment(F, w, q + 2 * VECTOR, NATIVE);
      FloatVector b3 = FloatVector.fromMemorySegment(F, w, q + 3 * VECTOR, NATIVE);
      FloatVector v = FloatVector.fromMemorySegment(F, x, p, NATIVE);
      a00 = v.fma(b0, a00);
      a01 = v.fma(b1, a01);
      a02 = v.fma(b2, a02);
      a03 = v.fma(b3, a03);
      v = FloatVector.fromMemorySegment(F, x, p + VECTOR, NATIVE);
      a10 = v.fma(b0, a10);
      a11 = v.fma(b1, a11);
      a12 = v.fma(b2, a12);
      a13 = v.fma(b3, a13);
      v = FloatVector.fromMemorySegment(F, x, p + 2 * VECTOR, NATIVE);
      a20 = v.fma(b0, a20);
      a21 = v.fma(b1, a21);
      a22 = v.fma(b2, a22);
      a23 = v.fma(b3, a23);
    }
    a00.intoArray(sums, at + 0 * L);
    a01.intoArray(sums, at + 1 * L);
    a02.intoArray(sums, at + 2 * L);
    a03.intoArray(sums, at + 3 * L);
    a10.intoArray(sums, at + 4 * L);
    a11.intoArray(sums, at + 5 * L);
    a12.intoArray(sums, at + 6 * L);
    a13.intoArray(sums, at + 7 * L);
    a20.intoArray(sums, at + 8 * L);
    a21.intoArray(sums, at + 9 * L);
    a22.intoArray(sums, at + 10 * L);
    a23.intoArray(sums, at + 11 * L);
  }

  /// The tree of [Lanes#sum] over sixteen accumulators at once. A step takes vectors `v` and `v +
  /// d` to one that holds the pairwise sums of lanes `d` apart, those of `v` in the lanes without
  /// bit `d`, so that in the end lane `v` is the sum of vector `v`.
  static void sixteenSums(float[] lanes, int at, float[] sums, int to) {
    FloatVector a0 = FloatVector.fromArray(F, lanes, at);
    FloatVector a1 = FloatVector.fromArray(F, lanes, at + L);
    FloatVector a2 = FloatVector.fromArray(F, lanes, at + 2 * L);
    FloatVector a3 = FloatVector.fromArray(F, lanes, at + 3 * L);
    FloatVector a4 = FloatVector.fromArray(F, lanes, at + 4 * L);
    FloatVector a5 = FloatVector.fromArray(F, lanes, at + 5 * L);
    FloatVector a6 = FloatVector.fromArray(F, lanes, at + 6 * L);
    FloatVector a7 = FloatVector.fromArray(F, lanes, at + 7 * L);
    FloatVector a8 = FloatVector.fromArray(F, lanes, at + 8 * L);
    FloatVector a9 = FloatVector.fromArray(F, lanes, at + 9 * L);
    FloatVector aa = FloatVector.fromArray(F, lanes, at + 10 * L);
    FloatVector ab = FloatVector.fromArray(F, lanes, at + 11 * L);
    FloatVector ac = FloatVector.fromArray(F, lanes, at + 12 * L);
    FloatVector ad = FloatVector.fromArray(F, lanes, at + 13 * L);
    FloatVector ae = FloatVector.fromArray(F, lanes, at + 14 * L);
    FloatVector af = FloatVector.fromArray(F, lanes, at + 15 * L);
    a0 = a0.blend(a8, U8).add(a8.blend(a0, U8).rearrange(X8));
    a1 = a1.blend(a9, U8).add(a9.blend(a1, U8).rearrange(X8));
    a2 = a2.blend(aa, U8).add(aa.blend(a2, U8).rearrange(X8));
    a3 = a3.blend(ab, U8).add(ab.blend(a3, U8).rearrange(X8));
    a4 = a4.blend(ac, U8).add(ac.blend(a4, U8).rearrange(X8));
    a5 = a5.blend(ad, U8).add(ad.blend(a5, U8).rearrange(X8));
    a6 = a6.blend(ae, U8).add(ae.blend(a6, U8).rearrange(X8));
    a7 = a7.blend(af, U8).add(af.blend(a7, U8).rearrange(X8));
    a0 = a0.blend(a4, U4).add(a4.blend(a0, U4).rearrange(X4));
    a1 = a1.blend(a5, U4).add(a5.blend(a1, U4).rearrange(X4));
    a2 = a2.blend(a6, U4).add(a6.blend(a2, U4).rearrange(X4));
    a3 = a3.blend(a7, U4).add(a7.blend(a3, U4).rearrange(X4));
    a0 = a0.blend(a2, U2).add(a2.blend(a0, U2).rearrange(X2));
    a1 = a1.blend(a3, U2).add(a3.blend(a1, U2).rearrange(X2));
    a0 = a0.blend(a1, U1).add(a1.blend(a0, U1).rearrange(X1));
    a0.intoArray(sums, to);
  }
}
