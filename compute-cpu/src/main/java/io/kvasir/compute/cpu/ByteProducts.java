package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Attention of few queries on tiles of signed bytes, which are converted in registers on the way
/// to the multiply-adds instead of being unpacked first: while the queries are few, writing and
/// reading the numbers again would cost as much as using them.
///
/// Both sums add the same terms in the same order as [ScoreTile] and [ValueTile] over the unpacked
/// numbers, so their bits are the same. Four queries or two at a time, for which there are at least
/// two multiply-adds a conversion. Needs vectors of eight lanes.
final class ByteProducts {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int WEIGHTS = FewQueries.TOKENS;
  private static final int X = FewQueries.MOST_CHANNELS;
  private static final int S = FewQueries.ROW;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));

  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private ByteProducts() {}

  /// Writes the products with up to four tiles of keys to the scores; what is behind those of fewer
  /// tiles, up to 64, is destroyed.
  ///
  /// @param group channels that share a scale
  static void score(TilePlace place, FewQueries q, int group) {
    for (int lane = 0; lane < TILE; lane += L) {
      if (q.count > 2) {
        scoreFour(place, q, group, lane);
      } else {
        scoreTwo(place, q, group, lane);
      }
    }
  }

  /// Adds the weighted rows `q.from .. q.to - 1` of up to four tiles of values.
  ///
  /// @param group channels that share a scale
  static void add(TilePlace place, FewQueries q, int group) {
    int d = 0;
    if (q.count > 2) {
      for (; d + 2 * L <= place.dim; d += 2 * L) {
        addFour(place, q, group, d);
      }
    } else {
      for (; d + 4 * L <= place.dim; d += 4 * L) {
        addTwo(place, q, group, d);
      }
    }
    for (; d < place.dim; d += L) {
      addRest(place, q, group, d);
    }
  }

  private static void scoreFour(TilePlace place, FewQueries q, int group, int lane) {
    MemorySegment m = place.memory;
    float[] x = q.x;
    float[] s = q.scores;
    float[] scales = q.scales;
    int dim = place.dim;
    int x0 = q.xFrom;
    int o0 = q.out + lane;
    int o1 = o0 + S;
    int o2 = o0 + 2 * S;
    int o3 = o0 + 3 * S;
    int groups = (dim + group - 1) / group;
    int last = place.tiles - 1;
    long p0 = place.plane + (long) place.slot * dim + lane;
    long p1 = p0 + (long) Math.min(1, last) * TILE * dim;
    long p2 = p0 + (long) Math.min(2, last) * TILE * dim;
    long p3 = p0 + (long) Math.min(3, last) * TILE * dim;
    FloatVector zero = FloatVector.zero(F);
    zero.intoArray(s, o0);
    zero.intoArray(s, o0 + 1 * TILE);
    zero.intoArray(s, o0 + 2 * TILE);
    zero.intoArray(s, o0 + 3 * TILE);
    zero.intoArray(s, o1);
    zero.intoArray(s, o1 + 1 * TILE);
    zero.intoArray(s, o1 + 2 * TILE);
    zero.intoArray(s, o1 + 3 * TILE);
    zero.intoArray(s, o2);
    zero.intoArray(s, o2 + 1 * TILE);
    zero.intoArray(s, o2 + 2 * TILE);
    zero.intoArray(s, o2 + 3 * TILE);
    zero.intoArray(s, o3);
    zero.intoArray(s, o3 + 1 * TILE);
    zero.intoArray(s, o3 + 2 * TILE);
    zero.intoArray(s, o3 + 3 * TILE);
    for (int g = 0; g < groups; g++) {
      FloatVector a00 = zero;
      FloatVector a01 = zero;
      FloatVector a02 = zero;
      FloatVector a03 = zero;
      FloatVector a10 = zero;
      FloatVector a11 = zero;
      FloatVector a12 = zero;
      FloatVector a13 = zero;
      FloatVector a20 = zero;
      FloatVector a21 = zero;
      FloatVector a22 = zero;
      FloatVector a23 = zero;
      FloatVector a30 = zero;
      FloatVector a31 = zero;
      FloatVector a32 = zero;
      FloatVector a33 = zero;
      int end = Math.min(dim, (g + 1) * group);
      for (int c = g * group; c < end; c++) {
        long at = (long) c * TILE;
        FloatVector k0 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p0 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k1 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p1 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k2 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p2 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k3 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p3 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector w = FloatVector.broadcast(F, x[x0 + c]);
        a00 = w.fma(k0, a00);
        a01 = w.fma(k1, a01);
        a02 = w.fma(k2, a02);
        a03 = w.fma(k3, a03);
        w = FloatVector.broadcast(F, x[x0 + X + c]);
        a10 = w.fma(k0, a10);
        a11 = w.fma(k1, a11);
        a12 = w.fma(k2, a12);
        a13 = w.fma(k3, a13);
        w = FloatVector.broadcast(F, x[x0 + 2 * X + c]);
        a20 = w.fma(k0, a20);
        a21 = w.fma(k1, a21);
        a22 = w.fma(k2, a22);
        a23 = w.fma(k3, a23);
        w = FloatVector.broadcast(F, x[x0 + 3 * X + c]);
        a30 = w.fma(k0, a30);
        a31 = w.fma(k1, a31);
        a32 = w.fma(k2, a32);
        a33 = w.fma(k3, a33);
      }
      FloatVector f =
          FloatVector.fromArray(F, scales, (Math.min(0, last) * groups + g) * TILE + lane);
      a00.fma(f, FloatVector.fromArray(F, s, o0)).intoArray(s, o0);
      a10.fma(f, FloatVector.fromArray(F, s, o1)).intoArray(s, o1);
      a20.fma(f, FloatVector.fromArray(F, s, o2)).intoArray(s, o2);
      a30.fma(f, FloatVector.fromArray(F, s, o3)).intoArray(s, o3);
      f = FloatVector.fromArray(F, scales, (Math.min(1, last) * groups + g) * TILE + lane);
      a01.fma(f, FloatVector.fromArray(F, s, o0 + 1 * TILE)).intoArray(s, o0 + 1 * TILE);
      a11.fma(f, FloatVector.fromArray(F, s, o1 + 1 * TILE)).intoArray(s, o1 + 1 * TILE);
      a21.fma(f, FloatVector.fromArray(F, s, o2 + 1 * TILE)).intoArray(s, o2 + 1 * TILE);
      a31.fma(f, FloatVector.fromArray(F, s, o3 + 1 * TILE)).intoArray(s, o3 + 1 * TILE);
      f = FloatVector.fromArray(F, scales, (Math.min(2, last) * groups + g) * TILE + lane);
      a02.fma(f, FloatVector.fromArray(F, s, o0 + 2 * TILE)).intoArray(s, o0 + 2 * TILE);
      a12.fma(f, FloatVector.fromArray(F, s, o1 + 2 * TILE)).intoArray(s, o1 + 2 * TILE);
      a22.fma(f, FloatVector.fromArray(F, s, o2 + 2 * TILE)).intoArray(s, o2 + 2 * TILE);
      a32.fma(f, FloatVector.fromArray(F, s, o3 + 2 * TILE)).intoArray(s, o3 + 2 * TILE);
      f = FloatVector.fromArray(F, scales, (Math.min(3, last) * groups + g) * TILE + lane);
      a03.fma(f, FloatVector.fromArray(F, s, o0 + 3 * TILE)).intoArray(s, o0 + 3 * TILE);
      a13.fma(f, FloatVector.fromArray(F, s, o1 + 3 * TILE)).intoArray(s, o1 + 3 * TILE);
      a23.fma(f, FloatVector.fromArray(F, s, o2 + 3 * TILE)).intoArray(s, o2 + 3 * TILE);
      a33.fma(f, FloatVector.fromArray(F, s, o3 + 3 * TILE)).intoArray(s, o3 + 3 * TILE);
    }
  }

  private static void scoreTwo(TilePlace place, FewQueries q, int group, int lane) {
    MemorySegment m = place.memory;
    float[] x = q.x;
    float[] s = q.scores;
    float[] scales = q.scales;
    int dim = place.dim;
    int x0 = q.xFrom;
    int o0 = q.out + lane;
    int o1 = o0 + S;
    int groups = (dim + group - 1) / group;
    int last = place.tiles - 1;
    long p0 = place.plane + (long) place.slot * dim + lane;
    long p1 = p0 + (long) Math.min(1, last) * TILE * dim;
    long p2 = p0 + (long) Math.min(2, last) * TILE * dim;
    long p3 = p0 + (long) Math.min(3, last) * TILE * dim;
    FloatVector zero = FloatVector.zero(F);
    zero.intoArray(s, o0);
    zero.intoArray(s, o0 + 1 * TILE);
    zero.intoArray(s, o0 + 2 * TILE);
    zero.intoArray(s, o0 + 3 * TILE);
    zero.intoArray(s, o1);
    zero.intoArray(s, o1 + 1 * TILE);
    zero.intoArray(s, o1 + 2 * TILE);
    zero.intoArray(s, o1 + 3 * TILE);
    for (int g = 0; g < groups; g++) {
      FloatVector a00 = zero;
      FloatVector a01 = zero;
      FloatVector a02 = zero;
      FloatVector a03 = zero;
      FloatVector a10 = zero;
      FloatVector a11 = zero;
      FloatVector a12 = zero;
      FloatVector a13 = zero;
      int end = Math.min(dim, (g + 1) * group);
      for (int c = g * group; c < end; c++) {
        long at = (long) c * TILE;
        FloatVector k0 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p0 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k1 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p1 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k2 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p2 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector k3 =
            (FloatVector)
                ByteVector.fromMemorySegment(B, m, p3 + at, LE)
                    .castShape(I, 0)
                    .convert(VectorOperators.I2F, 0);
        FloatVector w = FloatVector.broadcast(F, x[x0 + c]);
        a00 = w.fma(k0, a00);
        a01 = w.fma(k1, a01);
        a02 = w.fma(k2, a02);
        a03 = w.fma(k3, a03);
        w = FloatVector.broadcast(F, x[x0 + X + c]);
        a10 = w.fma(k0, a10);
        a11 = w.fma(k1, a11);
        a12 = w.fma(k2, a12);
        a13 = w.fma(k3, a13);
      }
      FloatVector f =
          FloatVector.fromArray(F, scales, (Math.min(0, last) * groups + g) * TILE + lane);
      a00.fma(f, FloatVector.fromArray(F, s, o0)).intoArray(s, o0);
      a10.fma(f, FloatVector.fromArray(F, s, o1)).intoArray(s, o1);
      f = FloatVector.fromArray(F, scales, (Math.min(1, last) * groups + g) * TILE + lane);
      a01.fma(f, FloatVector.fromArray(F, s, o0 + 1 * TILE)).intoArray(s, o0 + 1 * TILE);
      a11.fma(f, FloatVector.fromArray(F, s, o1 + 1 * TILE)).intoArray(s, o1 + 1 * TILE);
      f = FloatVector.fromArray(F, scales, (Math.min(2, last) * groups + g) * TILE + lane);
      a02.fma(f, FloatVector.fromArray(F, s, o0 + 2 * TILE)).intoArray(s, o0 + 2 * TILE);
      a12.fma(f, FloatVector.fromArray(F, s, o1 + 2 * TILE)).intoArray(s, o1 + 2 * TILE);
      f = FloatVector.fromArray(F, scales, (Math.min(3, last) * groups + g) * TILE + lane);
      a03.fma(f, FloatVector.fromArray(F, s, o0 + 3 * TILE)).intoArray(s, o0 + 3 * TILE);
      a13.fma(f, FloatVector.fromArray(F, s, o1 + 3 * TILE)).intoArray(s, o1 + 3 * TILE);
    }
  }

  /// Channels `d .. d + 2 L - 1`, which have one weight a row. Two vectors on purpose: with four,
  /// the compiler ran out of registers, as each access keeps what it needs to be undone, and
  /// converted codes anew for each query. It still repeats some here: 6 conversions where 2 would
  /// do.
  private static void addFour(TilePlace place, FewQueries q, int group, int d) {
    MemorySegment m = place.memory;
    float[] w = q.folded;
    float[] a = q.acc;
    int dim = place.dim;
    int low = d / group * WEIGHTS * FewQueries.SIDE;
    int at0 = q.accAt + d;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + L);
    FloatVector a10 = FloatVector.fromArray(F, a, at0 + dim);
    FloatVector a11 = FloatVector.fromArray(F, a, at0 + dim + L);
    FloatVector a20 = FloatVector.fromArray(F, a, at0 + 2 * dim);
    FloatVector a21 = FloatVector.fromArray(F, a, at0 + 2 * dim + L);
    FloatVector a30 = FloatVector.fromArray(F, a, at0 + 3 * dim);
    FloatVector a31 = FloatVector.fromArray(F, a, at0 + 3 * dim + L);
    long row = place.plane + (long) place.slot * dim + d;
    for (int j = q.from; j < q.to; j++) {
      long at = row + (long) j * dim;
      FloatVector v0 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector v1 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at + L, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector p = FloatVector.broadcast(F, w[low + j]);
      a00 = p.fma(v0, a00);
      a01 = p.fma(v1, a01);
      p = FloatVector.broadcast(F, w[low + WEIGHTS + j]);
      a10 = p.fma(v0, a10);
      a11 = p.fma(v1, a11);
      p = FloatVector.broadcast(F, w[low + 2 * WEIGHTS + j]);
      a20 = p.fma(v0, a20);
      a21 = p.fma(v1, a21);
      p = FloatVector.broadcast(F, w[low + 3 * WEIGHTS + j]);
      a30 = p.fma(v0, a30);
      a31 = p.fma(v1, a31);
    }
    a00.intoArray(a, at0);
    a01.intoArray(a, at0 + L);
    a10.intoArray(a, at0 + dim);
    a11.intoArray(a, at0 + dim + L);
    a20.intoArray(a, at0 + 2 * dim);
    a21.intoArray(a, at0 + 2 * dim + L);
    a30.intoArray(a, at0 + 3 * dim);
    a31.intoArray(a, at0 + 3 * dim + L);
  }

  /// Channels `d .. d + 4 L - 1`, the first half of which have one weight a row, the second
  /// another.
  private static void addTwo(TilePlace place, FewQueries q, int group, int d) {
    MemorySegment m = place.memory;
    float[] w = q.folded;
    float[] a = q.acc;
    int low = d / group * WEIGHTS * FewQueries.SIDE;
    int high = (d + 2 * L) / group * WEIGHTS * FewQueries.SIDE;
    int at0 = q.accAt + d;
    int at1 = at0 + place.dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + L);
    FloatVector a02 = FloatVector.fromArray(F, a, at0 + 2 * L);
    FloatVector a03 = FloatVector.fromArray(F, a, at0 + 3 * L);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a11 = FloatVector.fromArray(F, a, at1 + L);
    FloatVector a12 = FloatVector.fromArray(F, a, at1 + 2 * L);
    FloatVector a13 = FloatVector.fromArray(F, a, at1 + 3 * L);
    long row = place.plane + (long) place.slot * place.dim + d;
    for (int j = q.from; j < q.to; j++) {
      long at = row + (long) j * place.dim;
      FloatVector v0 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector v1 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at + L, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector v2 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at + 2L * L, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector v3 =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at + 3L * L, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      FloatVector p = FloatVector.broadcast(F, w[low + j]);
      a00 = p.fma(v0, a00);
      a01 = p.fma(v1, a01);
      p = FloatVector.broadcast(F, w[high + j]);
      a02 = p.fma(v2, a02);
      a03 = p.fma(v3, a03);
      p = FloatVector.broadcast(F, w[low + WEIGHTS + j]);
      a10 = p.fma(v0, a10);
      a11 = p.fma(v1, a11);
      p = FloatVector.broadcast(F, w[high + WEIGHTS + j]);
      a12 = p.fma(v2, a12);
      a13 = p.fma(v3, a13);
    }
    a00.intoArray(a, at0);
    a01.intoArray(a, at0 + L);
    a02.intoArray(a, at0 + 2 * L);
    a03.intoArray(a, at0 + 3 * L);
    a10.intoArray(a, at1);
    a11.intoArray(a, at1 + L);
    a12.intoArray(a, at1 + 2 * L);
    a13.intoArray(a, at1 + 3 * L);
  }

  /// Channels `d .. d + L - 1`.
  private static void addRest(TilePlace place, FewQueries q, int group, int d) {
    MemorySegment m = place.memory;
    float[] w = q.folded;
    float[] a = q.acc;
    int low = d / group * WEIGHTS * FewQueries.SIDE;
    int at0 = q.accAt + d;
    int at1 = at0 + place.dim;
    int at2 = at0 + 2 * place.dim;
    int at3 = at0 + 3 * place.dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a20 = FloatVector.fromArray(F, a, at2);
    FloatVector a30 = FloatVector.fromArray(F, a, at3);
    long row = place.plane + (long) place.slot * place.dim + d;
    for (int j = q.from; j < q.to; j++) {
      long at = row + (long) j * place.dim;
      FloatVector v =
          (FloatVector)
              ByteVector.fromMemorySegment(B, m, at, LE)
                  .castShape(I, 0)
                  .convert(VectorOperators.I2F, 0);
      a00 = FloatVector.broadcast(F, w[low + j]).fma(v, a00);
      a10 = FloatVector.broadcast(F, w[low + WEIGHTS + j]).fma(v, a10);
      a20 = FloatVector.broadcast(F, w[low + 2 * WEIGHTS + j]).fma(v, a20);
      a30 = FloatVector.broadcast(F, w[low + 3 * WEIGHTS + j]).fma(v, a30);
    }
    a00.intoArray(a, at0);
    a10.intoArray(a, at1);
    a20.intoArray(a, at2);
    a30.intoArray(a, at3);
  }
}
