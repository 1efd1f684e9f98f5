package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Q4_K in the order of [KOrder#Q4_K]: and, convert, times the scale, multiply-add are all that 16
/// weights cost; the codes' bytes are never widened. `d sc q` is exact.
///
/// Scales stay in registers from header to product: what is stored and loaded again in parts waits
/// until the store has left the processor's queue. Two rows a group, as four run out of the
/// compiler's budget for inlining. 144 bytes moved per 256 weights.
final class Q4KWideKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final int BYTES = 144;

  /// Scales of the sub-blocks in the halves of a vector, from lanes 0 and 2.
  static final VectorShuffle<Float> SPREAD = VectorShuffle.fromOp(F, i -> i < 8 ? 0 : 2);

  /// Brings the scales of the next four steps to lanes 0 and 2; after four times all are back.
  static final VectorShuffle<Float> NEXT =
      VectorShuffle.fromValues(F, 1, 4, 3, 6, 5, 0, 7, 2, 8, 9, 10, 11, 12, 13, 14, 15);

  // A header is an int of two halves, d and dmin, and 12 bytes: four scales, four minimums, whose
  // upper two bits belong to the last four scales and minimums, and these in halves of a byte.
  static final VectorMask<Integer> MINIMUMS = Lanes.upper(8).cast(I);
  static final VectorMask<Integer> LAST_FOUR = Lanes.upper(4).cast(I);
  static final IntVector RIGHT = lanes(i -> 8 * (i & 3) + (i >= 12 ? 4 : 0));
  static final IntVector LOW_BITS = lanes(i -> (i & 4) != 0 ? 15 : 63);
  static final IntVector RIGHT_OF_HIGH = lanes(i -> 8 * (i & 3) + 2);
  static final IntVector HIGH_BITS = lanes(i -> (i & 4) != 0 ? 48 : 0);
  static final IntVector HALF_LEFT = lanes(i -> i < 8 ? 16 : 0);
  static final FloatVector REBIAS =
      FloatVector.broadcast(F, F16RowKernel.REBIAS).blend(-F16RowKernel.REBIAS, Lanes.upper(8));

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
      FloatVector e0 = scales(w, w0 + at);
      FloatVector e1 = scales(w, w1 + at);
      for (int j = 0; j < 4; j++) {
        long q = at + 16 + 32L * (j & 2);
        int half = 4 * (j & 1);
        FloatVector s0 = e0.rearrange(SPREAD);
        FloatVector s1 = e1.rearrange(SPREAD);
        e0 = e0.rearrange(NEXT);
        e1 = e1.rearrange(NEXT);
        IntVector q0 =
            IntVector.fromMemorySegment(I, w, w0 + q, LE).lanewise(VectorOperators.LSHR, half);
        IntVector q1 =
            IntVector.fromMemorySegment(I, w, w1 + q, LE).lanewise(VectorOperators.LSHR, half);
        int kj = k + 64 * j;
        FloatVector v = FloatVector.fromArray(F, x, kj);
        a0 = ((FloatVector) q0.and(15).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(15).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 16);
        a0 = ((FloatVector) q0.and(15 << 8).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(15 << 8).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 32);
        a0 = ((FloatVector) q0.and(15 << 16).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(15 << 16).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
        v = FloatVector.fromArray(F, x, kj + 48);
        a0 = ((FloatVector) q0.and(15 << 24).convert(VectorOperators.I2F, 0)).mul(s0).fma(v, a0);
        a1 = ((FloatVector) q1.and(15 << 24).convert(VectorOperators.I2F, 0)).mul(s1).fma(v, a1);
      }
      FloatVector v = FloatVector.fromArray(F, x, k + KOrder.BLOCK);
      a0 = e0.fma(v, a0);
      a1 = e1.fma(v, a1);
      k += KOrder.WIDTH;
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
  }

  /// Eight scales `d sc`, then eight addends `-dmin mn`, of the block at `at`.
  private static FloatVector scales(MemorySegment w, long at) {
    IntVector low =
        IntVector.broadcast(I, w.get(INT, at + 4))
            .blend(IntVector.broadcast(I, w.get(INT, at + 8)), MINIMUMS);
    IntVector all = low.blend(IntVector.broadcast(I, w.get(INT, at + 12)), LAST_FOUR);
    IntVector codes =
        all.lanewise(VectorOperators.ROR, RIGHT)
            .and(LOW_BITS)
            .or(low.lanewise(VectorOperators.ROR, RIGHT_OF_HIGH).and(HIGH_BITS));
    FloatVector d =
        IntVector.broadcast(I, w.get(INT, at))
            .lanewise(VectorOperators.LSHL, HALF_LEFT)
            .lanewise(VectorOperators.ASHR, 3)
            .and(F16RowKernel.SIGN_AND_NUMBER)
            .reinterpretAsFloats()
            .mul(REBIAS);
    return ((FloatVector) codes.convert(VectorOperators.I2F, 0)).mul(d);
  }

  private static IntVector lanes(IntUnaryOperator value) {
    int[] values = new int[L];
    for (int i = 0; i < L; i++) {
      values[i] = value.applyAsInt(i);
    }
    return IntVector.fromArray(I, values, 0);
  }
}
