package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Q6_K: super-blocks of 256 weights, `ql[128] qh[64] scales[16] d`, `w = d sc (q - 32)` with an
/// 8-bit scale a 16 weights. A half of 128 weights is four planes of 32: planes 0 and 1 are the low
/// halves of 64 bytes of `ql`, planes 2 and 3 their high halves, and plane `p` has bits `2p` and
/// `2p + 1` of 32 bytes of `qh` on top.
///
/// The product has at most 23 significant bits, so it is exact. 210 bytes moved per 256 weights.
final class Q6KRowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(L * Byte.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final int BLOCK = 256;
  private static final int BYTES = 210;

  /// Where the kernel keeps scales in the scratch memory.
  private static final int AT = OWN;

  @Override
  public int groupSize() {
    return 2;
  }

  @Override
  public void group(Product p, int row, int first, int stride, int last, float[] lanes, int to) {
    MemorySegment w = p.weights;
    float[] x = p.x;
    int xAt = p.inputAt(row);
    long w0 = first * p.rowBytes;
    long w1 = Math.min(first + stride, last) * p.rowBytes;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    int blocks = p.columns / BLOCK;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      float d0 = Float.float16ToFloat(w.get(HALF, w0 + at + 208));
      float d1 = Float.float16ToFloat(w.get(HALF, w1 + at + 208));
      for (int i = 0; i < 16; i += L) {
        FloatVector c0 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w0 + at + 192 + i, LE).castShape(F, 0);
        FloatVector c1 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w1 + at + 192 + i, LE).castShape(F, 0);
        c0.mul(d0).intoArray(lanes, AT + i);
        c1.mul(d1).intoArray(lanes, AT + 32 + i);
        c0.mul(-32 * d0).intoArray(lanes, AT + 16 + i);
        c1.mul(-32 * d1).intoArray(lanes, AT + 48 + i);
      }
      for (int half = 0; half < 2; half++) {
        if (L == 16) {
          long qh = at + 128 + 32L * half;
          IntVector g0 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w0 + qh, LE).castShape(I, 0);
          IntVector g1 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w1 + qh, LE).castShape(I, 0);
          IntVector h0 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w0 + qh + 16, LE).castShape(I, 0);
          IntVector h1 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w1 + qh + 16, LE).castShape(I, 0);
          for (int plane = 0; plane < 4; plane++) {
            int k = xAt + b * BLOCK + 128 * half + 32 * plane;
            long ql = at + 64L * half + 32L * (plane & 1);
            int c = AT + 8 * half + 2 * plane;
            IntVector q0 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w0 + ql, LE).castShape(I, 0);
            IntVector q1 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w1 + ql, LE).castShape(I, 0);
            IntVector r0 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w0 + ql + 16, LE).castShape(I, 0);
            IntVector r1 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w1 + ql + 16, LE).castShape(I, 0);
            q0 =
                q0.lanewise(VectorOperators.LSHR, 4 * (plane >> 1))
                    .and(15)
                    .or(g0.and(3).lanewise(VectorOperators.LSHL, 4));
            q1 =
                q1.lanewise(VectorOperators.LSHR, 4 * (plane >> 1))
                    .and(15)
                    .or(g1.and(3).lanewise(VectorOperators.LSHL, 4));
            r0 =
                r0.lanewise(VectorOperators.LSHR, 4 * (plane >> 1))
                    .and(15)
                    .or(h0.and(3).lanewise(VectorOperators.LSHL, 4));
            r1 =
                r1.lanewise(VectorOperators.LSHR, 4 * (plane >> 1))
                    .and(15)
                    .or(h1.and(3).lanewise(VectorOperators.LSHL, 4));
            g0 = g0.lanewise(VectorOperators.LSHR, 2);
            g1 = g1.lanewise(VectorOperators.LSHR, 2);
            h0 = h0.lanewise(VectorOperators.LSHR, 2);
            h1 = h1.lanewise(VectorOperators.LSHR, 2);
            FloatVector v = FloatVector.fromArray(F, x, k);
            FloatVector f0 = (FloatVector) q0.convert(VectorOperators.I2F, 0);
            FloatVector f1 = (FloatVector) q1.convert(VectorOperators.I2F, 0);
            a0 =
                f0.fma(FloatVector.broadcast(F, lanes[c]), FloatVector.broadcast(F, lanes[c + 16]))
                    .fma(v, a0);
            a1 =
                f1.fma(
                        FloatVector.broadcast(F, lanes[c + 32]),
                        FloatVector.broadcast(F, lanes[c + 48]))
                    .fma(v, a1);
            v = FloatVector.fromArray(F, x, k + 16);
            f0 = (FloatVector) r0.convert(VectorOperators.I2F, 0);
            f1 = (FloatVector) r1.convert(VectorOperators.I2F, 0);
            a0 =
                f0.fma(
                        FloatVector.broadcast(F, lanes[c + 1]),
                        FloatVector.broadcast(F, lanes[c + 17]))
                    .fma(v, a0);
            a1 =
                f1.fma(
                        FloatVector.broadcast(F, lanes[c + 33]),
                        FloatVector.broadcast(F, lanes[c + 49]))
                    .fma(v, a1);
          }
          continue;
        }
        for (int plane = 0; plane < 4; plane++) {
          for (int i = 0; i < 32; i += L) {
            long ql = at + 64L * half + 32L * (plane & 1) + i;
            long qh = at + 128 + 32L * half + i;
            int c = AT + 8 * half + 2 * plane + i / 16;
            FloatVector v =
                FloatVector.fromArray(F, x, xAt + b * BLOCK + 128 * half + 32 * plane + i);
            IntVector q0 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w0 + ql, LE).castShape(I, 0);
            IntVector q1 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w1 + ql, LE).castShape(I, 0);
            IntVector h0 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w0 + qh, LE).castShape(I, 0);
            IntVector h1 =
                (IntVector) ByteVector.fromMemorySegment(B, w, w1 + qh, LE).castShape(I, 0);
            q0 = q0.lanewise(VectorOperators.LSHR, 4 * (plane >> 1)).and(15);
            q1 = q1.lanewise(VectorOperators.LSHR, 4 * (plane >> 1)).and(15);
            h0 = h0.lanewise(VectorOperators.LSHR, 2 * plane).and(3);
            h1 = h1.lanewise(VectorOperators.LSHR, 2 * plane).and(3);
            q0 = h0.lanewise(VectorOperators.LSHL, 4).or(q0).sub(32);
            q1 = h1.lanewise(VectorOperators.LSHL, 4).or(q1).sub(32);
            a0 = ((FloatVector) q0.convert(VectorOperators.I2F, 0)).mul(lanes[c]).fma(v, a0);
            a1 = ((FloatVector) q1.convert(VectorOperators.I2F, 0)).mul(lanes[c + 32]).fma(v, a1);
          }
        }
      }
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
  }
}
