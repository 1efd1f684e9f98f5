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
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Q6_K in the order of [KOrder#Q6_K], as [Q4KWideKernel]: four bytes of 6-bit codes are put
/// together at once. `d sc q` with `q` of 0 to 63 is exact; that 32 is taken off each is made good
/// by the last vector of a block. 210 bytes moved per 256 weights.
final class Q6KWideKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(L * Byte.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final int BYTES = 210;
  private static final int LOW_BITS = 0x0f0f0f0f;
  private static final int HIGH_BITS = 0x30303030;

  /// Lanes 0 to 3 four times each, and a turn by four lanes.
  private static final VectorShuffle<Float> SPREAD = VectorShuffle.fromOp(F, i -> i / 4);

  private static final VectorShuffle<Float> NEXT = VectorShuffle.fromOp(F, i -> (i + 4) % L);

  /// The upper eight lanes twice.
  private static final VectorShuffle<Integer> TWICE = VectorShuffle.fromOp(I, i -> 8 + i % 8);

  /// Puts the high bits of planes 0 and 1 over their low ones.
  private static final IntVector LEFT = IntVector.broadcast(I, 4).blend(2, Lanes.upper(8).cast(I));

  @Override
  public int groupSize() {
    return 2;
  }

  @Override
  public void group(Product p, int row, int first, int stride, int last, float[] lanes, int to) {
    MemorySegment w = p.weights;
    float[] x = p.arranged;
    int k = row * p.width;
    long w0 = first * p.rowBytes;
    long w1 = Math.min(first + stride, last) * p.rowBytes;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    int blocks = p.columns / KOrder.BLOCK;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      FloatVector e0 =
          ((FloatVector) ByteVector.fromMemorySegment(B, w, w0 + at + 192, LE).castShape(F, 0))
              .mul(Float.float16ToFloat(w.get(HALF, w0 + at + 208)));
      FloatVector e1 =
          ((FloatVector) ByteVector.fromMemorySegment(B, w, w1 + at + 192, LE).castShape(F, 0))
              .mul(Float.float16ToFloat(w.get(HALF, w1 + at + 208)));
      for (int j = 0; j < 4; j++) {
        FloatVector s0 = e0.rearrange(SPREAD);
        FloatVector s1 = e1.rearrange(SPREAD);
        e0 = e0.rearrange(NEXT);
        e1 = e1.rearrange(NEXT);
        long low = at + 64L * (j >> 1);
        // From 32 bytes before, which are codes too, so as not to read behind the matrix.
        long high = at + 96 + 32L * (j >> 1);
        int right = 4 * (j & 1);
        IntVector h0 =
            IntVector.fromMemorySegment(I, w, w0 + high, LE)
                .rearrange(TWICE)
                .lanewise(VectorOperators.ROL, LEFT)
                .lanewise(VectorOperators.ROR, right)
                .and(HIGH_BITS);
        IntVector q0 =
            IntVector.fromMemorySegment(I, w, w0 + low, LE)
                .lanewise(VectorOperators.LSHR, right)
                .and(LOW_BITS)
                .or(h0);
        IntVector h1 =
            IntVector.fromMemorySegment(I, w, w1 + high, LE)
                .rearrange(TWICE)
                .lanewise(VectorOperators.ROL, LEFT)
                .lanewise(VectorOperators.ROR, right)
                .and(HIGH_BITS);
        IntVector q1 =
            IntVector.fromMemorySegment(I, w, w1 + low, LE)
                .lanewise(VectorOperators.LSHR, right)
                .and(LOW_BITS)
                .or(h1);
        int kj = k + 64 * j;
        FloatVector v = FloatVector.fromArray(F, x, kj);
        a0 = ((FloatVector) q0.and(63).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(63).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 16);
        a0 = ((FloatVector) q0.and(63 << 8).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(63 << 8).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 32);
        a0 = ((FloatVector) q0.and(63 << 16).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(63 << 16).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 48);
        a0 = ((FloatVector) q0.and(63 << 24).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(63 << 24).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
      }
      FloatVector v = FloatVector.fromArray(F, x, k + KOrder.BLOCK);
      a0 = e0.fma(v, a0);
      a1 = e1.fma(v, a1);
      k += KOrder.WIDTH;
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
  }

  /// Sixteen ints of 6-bit codes for the four steps `4 j .. 4 j + 3` of the block at `at`: low bits
  /// of both planes, and the 32 bytes of high bits that they share with two others.
  static IntVector codes(MemorySegment w, long at, int j) {
    int half = j >> 1;
    int right = 4 * (j & 1);
    IntVector low = IntVector.fromMemorySegment(I, w, at + 64L * half, LE);
    // From 32 bytes before, which are codes too, so as not to read behind the matrix.
    IntVector high =
        IntVector.fromMemorySegment(I, w, at + 96 + 32L * half, LE)
            .rearrange(TWICE)
            .lanewise(VectorOperators.ROL, LEFT);
    return low.lanewise(VectorOperators.LSHR, right)
        .and(LOW_BITS)
        .or(high.lanewise(VectorOperators.ROR, right).and(HIGH_BITS));
  }

  /// The sixteen scales `d sc` of the block at `at`.
  static FloatVector scales(MemorySegment w, long at) {
    float d = Float.float16ToFloat(w.get(HALF, at + 208));
    FloatVector scales =
        (FloatVector) ByteVector.fromMemorySegment(B, w, at + 192, LE).castShape(F, 0);
    return scales.mul(d);
  }

  /// The scales of the next four steps in the lanes that they are for.
  static FloatVector spread(FloatVector scales) {
    return scales.rearrange(SPREAD);
  }

  /// The scales as [#spread] wants them four steps later.
  static FloatVector next(FloatVector scales) {
    return scales.rearrange(NEXT);
  }
}
