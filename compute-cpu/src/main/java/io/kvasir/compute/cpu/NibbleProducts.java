package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Attention of few queries on tiles of 4-bit codes with a level of a table for each code; see
/// [ByteProducts].
///
/// A byte holds channels `i` and `i + 16` of a group of 32. Their levels are looked up in a vector
/// of all sixteen, which needs no mask. Where a group has one scale, the first half of its channels
/// and the second are summed apart, so that a byte is read once. Needs vectors of 16 lanes and rows
/// of whole groups.
final class NibbleProducts {
  /// Channels whose products are summed before the scale is multiplied in.
  static final int SUM = 16;

  private static final int GROUP = 32;
  private static final int HALF = GROUP / 2;
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int WEIGHTS = FewQueries.TOKENS;
  private static final int X = FewQueries.MOST_CHANNELS;
  private static final int S = FewQueries.ROW;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private NibbleProducts() {}

  /// Whether rows of `dim` channels can be computed on.
  static boolean canUse(int dim) {
    return L == 16 && dim % GROUP == 0;
  }

  /// Writes the products with up to four tiles of keys to the scores.
  ///
  /// @param levels the bits of the 16 levels as floats
  static void score(TilePlace place, FewQueries q, int[] levels) {
    for (int tile = 0; tile < place.tiles; tile += 2) {
      if (q.count > 2) {
        scoreFour(place, q, levels, tile);
      } else {
        scoreTwo(place, q, levels, tile);
      }
    }
  }

  /// Adds the weighted rows `q.from .. q.to - 1` of up to four tiles of values.
  static void add(TilePlace place, FewQueries q, int[] levels) {
    int groups = place.dim / GROUP;
    int g = 0;
    for (; q.count <= 2 && g + 2 <= groups; g += 2) {
      addTwo(place, q, levels, g);
    }
    for (; g < groups; g++) {
      addFour(place, q, levels, g);
    }
  }

  /// The tile `first` of the place and the one behind it, where there is one.
  private static void scoreFour(TilePlace place, FewQueries q, int[] levels, int first) {
    MemorySegment m = place.memory;
    float[] x = q.x;
    float[] s = q.scores;
    float[] scales = q.scales;
    int dim = place.dim;
    int x0 = q.xFrom;
    int o0 = q.out;
    int o1 = o0 + S;
    int o2 = o0 + 2 * S;
    int o3 = o0 + 3 * S;
    int groups = dim / GROUP;
    int second = Math.min(first + 1, place.tiles - 1);
    long p0 = place.plane + (place.slot + (long) first * TILE) * dim / 2;
    long p1 = p0 + (long) (second - first) * TILE * dim / 2;
    int f0 = first * groups * TILE;
    int f1 = second * groups * TILE;
    IntVector table = IntVector.fromArray(I, levels, 0);
    FloatVector zero = FloatVector.zero(F);
    FloatVector s00 = zero;
    FloatVector s01 = zero;
    FloatVector s10 = zero;
    FloatVector s11 = zero;
    FloatVector s20 = zero;
    FloatVector s21 = zero;
    FloatVector s30 = zero;
    FloatVector s31 = zero;
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
      int start = g * HALF;
      for (int i = start; i < start + HALF; i++) {
        long at = (long) i * TILE;
        IntVector i0 = (IntVector) ByteVector.fromMemorySegment(B, m, p0 + at, LE).castShape(I, 0);
        IntVector i1 = (IntVector) ByteVector.fromMemorySegment(B, m, p1 + at, LE).castShape(I, 0);
        FloatVector k0 = i0.selectFrom(table).reinterpretAsFloats();
        FloatVector k1 = i1.selectFrom(table).reinterpretAsFloats();
        FloatVector k2 =
            i0.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
        FloatVector k3 =
            i1.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
        int c = start + i;
        FloatVector w = FloatVector.broadcast(F, x[x0 + c]);
        a00 = w.fma(k0, a00);
        a01 = w.fma(k1, a01);
        w = FloatVector.broadcast(F, x[x0 + c + HALF]);
        a02 = w.fma(k2, a02);
        a03 = w.fma(k3, a03);
        w = FloatVector.broadcast(F, x[x0 + X + c]);
        a10 = w.fma(k0, a10);
        a11 = w.fma(k1, a11);
        w = FloatVector.broadcast(F, x[x0 + X + c + HALF]);
        a12 = w.fma(k2, a12);
        a13 = w.fma(k3, a13);
        w = FloatVector.broadcast(F, x[x0 + 2 * X + c]);
        a20 = w.fma(k0, a20);
        a21 = w.fma(k1, a21);
        w = FloatVector.broadcast(F, x[x0 + 2 * X + c + HALF]);
        a22 = w.fma(k2, a22);
        a23 = w.fma(k3, a23);
        w = FloatVector.broadcast(F, x[x0 + 3 * X + c]);
        a30 = w.fma(k0, a30);
        a31 = w.fma(k1, a31);
        w = FloatVector.broadcast(F, x[x0 + 3 * X + c + HALF]);
        a32 = w.fma(k2, a32);
        a33 = w.fma(k3, a33);
      }
      FloatVector f = FloatVector.fromArray(F, scales, f0 + g * TILE);
      s00 = a02.fma(f, a00.fma(f, s00));
      s10 = a12.fma(f, a10.fma(f, s10));
      s20 = a22.fma(f, a20.fma(f, s20));
      s30 = a32.fma(f, a30.fma(f, s30));
      f = FloatVector.fromArray(F, scales, f1 + g * TILE);
      s01 = a03.fma(f, a01.fma(f, s01));
      s11 = a13.fma(f, a11.fma(f, s11));
      s21 = a23.fma(f, a21.fma(f, s21));
      s31 = a33.fma(f, a31.fma(f, s31));
    }
    int a = first * TILE;
    int b = second * TILE;
    s00.intoArray(s, o0 + a);
    s01.intoArray(s, o0 + b);
    s10.intoArray(s, o1 + a);
    s11.intoArray(s, o1 + b);
    s20.intoArray(s, o2 + a);
    s21.intoArray(s, o2 + b);
    s30.intoArray(s, o3 + a);
    s31.intoArray(s, o3 + b);
  }

  /// The tile `first` of the place and the one behind it, where there is one.
  private static void scoreTwo(TilePlace place, FewQueries q, int[] levels, int first) {
    MemorySegment m = place.memory;
    float[] x = q.x;
    float[] s = q.scores;
    float[] scales = q.scales;
    int dim = place.dim;
    int x0 = q.xFrom;
    int o0 = q.out;
    int o1 = o0 + S;
    int groups = dim / GROUP;
    int second = Math.min(first + 1, place.tiles - 1);
    long p0 = place.plane + (place.slot + (long) first * TILE) * dim / 2;
    long p1 = p0 + (long) (second - first) * TILE * dim / 2;
    int f0 = first * groups * TILE;
    int f1 = second * groups * TILE;
    IntVector table = IntVector.fromArray(I, levels, 0);
    FloatVector zero = FloatVector.zero(F);
    FloatVector s00 = zero;
    FloatVector s01 = zero;
    FloatVector s10 = zero;
    FloatVector s11 = zero;
    for (int g = 0; g < groups; g++) {
      FloatVector a00 = zero;
      FloatVector a01 = zero;
      FloatVector a02 = zero;
      FloatVector a03 = zero;
      FloatVector a10 = zero;
      FloatVector a11 = zero;
      FloatVector a12 = zero;
      FloatVector a13 = zero;
      int start = g * HALF;
      for (int i = start; i < start + HALF; i++) {
        long at = (long) i * TILE;
        IntVector i0 = (IntVector) ByteVector.fromMemorySegment(B, m, p0 + at, LE).castShape(I, 0);
        IntVector i1 = (IntVector) ByteVector.fromMemorySegment(B, m, p1 + at, LE).castShape(I, 0);
        FloatVector k0 = i0.selectFrom(table).reinterpretAsFloats();
        FloatVector k1 = i1.selectFrom(table).reinterpretAsFloats();
        FloatVector k2 =
            i0.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
        FloatVector k3 =
            i1.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
        int c = start + i;
        FloatVector w = FloatVector.broadcast(F, x[x0 + c]);
        a00 = w.fma(k0, a00);
        a01 = w.fma(k1, a01);
        w = FloatVector.broadcast(F, x[x0 + c + HALF]);
        a02 = w.fma(k2, a02);
        a03 = w.fma(k3, a03);
        w = FloatVector.broadcast(F, x[x0 + X + c]);
        a10 = w.fma(k0, a10);
        a11 = w.fma(k1, a11);
        w = FloatVector.broadcast(F, x[x0 + X + c + HALF]);
        a12 = w.fma(k2, a12);
        a13 = w.fma(k3, a13);
      }
      FloatVector f = FloatVector.fromArray(F, scales, f0 + g * TILE);
      s00 = a02.fma(f, a00.fma(f, s00));
      s10 = a12.fma(f, a10.fma(f, s10));
      f = FloatVector.fromArray(F, scales, f1 + g * TILE);
      s01 = a03.fma(f, a01.fma(f, s01));
      s11 = a13.fma(f, a11.fma(f, s11));
    }
    int a = first * TILE;
    int b = second * TILE;
    s00.intoArray(s, o0 + a);
    s01.intoArray(s, o0 + b);
    s10.intoArray(s, o1 + a);
    s11.intoArray(s, o1 + b);
  }

  /// Groups `g` and `g + 1`, for two queries.
  private static void addTwo(TilePlace place, FewQueries q, int[] levels, int g) {
    MemorySegment m = place.memory;
    float[] w = q.folded;
    float[] a = q.acc;
    int dim = place.dim;
    int d = g * GROUP;
    int low = g * WEIGHTS * FewQueries.SIDE;
    int at0 = q.accAt + d;
    int at1 = at0 + place.dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + HALF);
    FloatVector a02 = FloatVector.fromArray(F, a, at0 + GROUP);
    FloatVector a03 = FloatVector.fromArray(F, a, at0 + GROUP + HALF);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a11 = FloatVector.fromArray(F, a, at1 + HALF);
    FloatVector a12 = FloatVector.fromArray(F, a, at1 + GROUP);
    FloatVector a13 = FloatVector.fromArray(F, a, at1 + GROUP + HALF);
    IntVector table = IntVector.fromArray(I, levels, 0);
    long row = place.plane + (long) place.slot * dim / 2 + (long) g * HALF;
    for (int j = q.from; j < q.to; j++) {
      long at = row + (long) j * dim / 2;
      IntVector i0 = (IntVector) ByteVector.fromMemorySegment(B, m, at, LE).castShape(I, 0);
      IntVector i1 = (IntVector) ByteVector.fromMemorySegment(B, m, at + HALF, LE).castShape(I, 0);
      FloatVector v0 = i0.selectFrom(table).reinterpretAsFloats();
      FloatVector v1 = i0.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
      FloatVector v2 = i1.selectFrom(table).reinterpretAsFloats();
      FloatVector v3 = i1.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
      FloatVector p = FloatVector.broadcast(F, w[low + j]);
      a00 = p.fma(v0, a00);
      a01 = p.fma(v1, a01);
      p = FloatVector.broadcast(F, w[low + 4 * WEIGHTS + j]);
      a02 = p.fma(v2, a02);
      a03 = p.fma(v3, a03);
      p = FloatVector.broadcast(F, w[low + WEIGHTS + j]);
      a10 = p.fma(v0, a10);
      a11 = p.fma(v1, a11);
      p = FloatVector.broadcast(F, w[low + 5 * WEIGHTS + j]);
      a12 = p.fma(v2, a12);
      a13 = p.fma(v3, a13);
    }
    a00.intoArray(a, at0);
    a01.intoArray(a, at0 + HALF);
    a02.intoArray(a, at0 + GROUP);
    a03.intoArray(a, at0 + GROUP + HALF);
    a10.intoArray(a, at1);
    a11.intoArray(a, at1 + HALF);
    a12.intoArray(a, at1 + GROUP);
    a13.intoArray(a, at1 + GROUP + HALF);
  }

  /// Group `g`, for four queries; one group at a time on purpose, see [ByteProducts].
  private static void addFour(TilePlace place, FewQueries q, int[] levels, int g) {
    MemorySegment m = place.memory;
    float[] w = q.folded;
    float[] a = q.acc;
    int dim = place.dim;
    int d = g * GROUP;
    int low = g * WEIGHTS * FewQueries.SIDE;
    int at0 = q.accAt + d;
    int at1 = at0 + place.dim;
    int at2 = at0 + 2 * place.dim;
    int at3 = at0 + 3 * place.dim;
    FloatVector a00 = FloatVector.fromArray(F, a, at0);
    FloatVector a01 = FloatVector.fromArray(F, a, at0 + HALF);
    FloatVector a10 = FloatVector.fromArray(F, a, at1);
    FloatVector a11 = FloatVector.fromArray(F, a, at1 + HALF);
    FloatVector a20 = FloatVector.fromArray(F, a, at2);
    FloatVector a21 = FloatVector.fromArray(F, a, at2 + HALF);
    FloatVector a30 = FloatVector.fromArray(F, a, at3);
    FloatVector a31 = FloatVector.fromArray(F, a, at3 + HALF);
    IntVector table = IntVector.fromArray(I, levels, 0);
    long row = place.plane + (long) place.slot * dim / 2 + (long) g * HALF;
    for (int j = q.from; j < q.to; j++) {
      long at = row + (long) j * dim / 2;
      IntVector i0 = (IntVector) ByteVector.fromMemorySegment(B, m, at, LE).castShape(I, 0);
      FloatVector v0 = i0.selectFrom(table).reinterpretAsFloats();
      FloatVector v1 = i0.lanewise(VectorOperators.LSHR, 4).selectFrom(table).reinterpretAsFloats();
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
    a01.intoArray(a, at0 + HALF);
    a10.intoArray(a, at1);
    a11.intoArray(a, at1 + HALF);
    a20.intoArray(a, at2);
    a21.intoArray(a, at2 + HALF);
    a30.intoArray(a, at3);
    a31.intoArray(a, at3 + HALF);
  }
}
