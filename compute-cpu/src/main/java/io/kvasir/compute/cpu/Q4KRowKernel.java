package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Q4_K: super-blocks of 256 weights, `d dmin scales[12] qs[128]`, `w = d sc q - dmin mn` with a
/// 6-bit scale and minimum a 32 weights; of 32 bytes of codes the low halves are 32 weights and the
/// high halves the next 32.
///
/// `d sc q` has at most 21 significant bits, so only the subtraction rounds, as in a fused
/// multiply-add. With 16 lanes the sixteen possible weights of 32 are one vector that codes look
/// up. 144 bytes moved per 256 weights.
final class Q4KRowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(L * Byte.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final int BLOCK = 256;
  private static final int BYTES = 144;

  /// Where the kernel keeps scales in the scratch memory.
  private static final int AT = OWN;

  private static final VectorMask<Float> MINIMUMS = Lanes.upper(8);
  private static final FloatVector CODES = FloatVector.zero(F).addIndex(1);

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
    int blocks = p.columns / BLOCK;
    if (L != 16) {
      narrow(w, w0, x, xAt, blocks, lanes, to);
      narrow(w, w1, x, xAt, blocks, lanes, to + L);
      return;
    }
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      unpack(w, w0 + at, lanes, AT);
      unpack(w, w1 + at, lanes, AT + 16);
      for (int j = 0; j < 4; j++) {
        int k = xAt + b * BLOCK + 64 * j;
        long q = at + 16 + 32L * j;
        int c = AT + 2 * j;
        FloatVector v0 = FloatVector.fromArray(F, x, k);
        FloatVector v1 = FloatVector.fromArray(F, x, k + 16);
        FloatVector v2 = FloatVector.fromArray(F, x, k + 32);
        FloatVector v3 = FloatVector.fromArray(F, x, k + 48);
        IntVector t =
            CODES
                .fma(FloatVector.broadcast(F, lanes[c]), FloatVector.broadcast(F, lanes[c + 8]))
                .reinterpretAsInts();
        IntVector u =
            CODES
                .fma(FloatVector.broadcast(F, lanes[c + 1]), FloatVector.broadcast(F, lanes[c + 9]))
                .reinterpretAsInts();
        IntVector q0 = (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q, LE).castShape(I, 0);
        IntVector q1 =
            (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q + 16, LE).castShape(I, 0);
        a0 = q0.selectFrom(t).reinterpretAsFloats().fma(v0, a0);
        a0 = q1.selectFrom(t).reinterpretAsFloats().fma(v1, a0);
        q0 = q0.lanewise(VectorOperators.LSHR, 4);
        q1 = q1.lanewise(VectorOperators.LSHR, 4);
        a0 = q0.selectFrom(u).reinterpretAsFloats().fma(v2, a0);
        a0 = q1.selectFrom(u).reinterpretAsFloats().fma(v3, a0);
        t =
            CODES
                .fma(
                    FloatVector.broadcast(F, lanes[c + 16]),
                    FloatVector.broadcast(F, lanes[c + 24]))
                .reinterpretAsInts();
        u =
            CODES
                .fma(
                    FloatVector.broadcast(F, lanes[c + 17]),
                    FloatVector.broadcast(F, lanes[c + 25]))
                .reinterpretAsInts();
        q0 = (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q, LE).castShape(I, 0);
        q1 = (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q + 16, LE).castShape(I, 0);
        a1 = q0.selectFrom(t).reinterpretAsFloats().fma(v0, a1);
        a1 = q1.selectFrom(t).reinterpretAsFloats().fma(v1, a1);
        q0 = q0.lanewise(VectorOperators.LSHR, 4);
        q1 = q1.lanewise(VectorOperators.LSHR, 4);
        a1 = q0.selectFrom(u).reinterpretAsFloats().fma(v2, a1);
        a1 = q1.selectFrom(u).reinterpretAsFloats().fma(v3, a1);
      }
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
  }

  /// One row with fewer lanes: codes are converted.
  private static void narrow(
      MemorySegment w, long rowAt, float[] x, int xAt, int blocks, float[] lanes, int to) {
    FloatVector a = FloatVector.zero(F);
    for (int b = 0; b < blocks; b++) {
      long at = rowAt + (long) b * BYTES;
      unpack(w, at, lanes, AT);
      for (int j = 0; j < 8; j++) {
        FloatVector d = FloatVector.broadcast(F, lanes[AT + j]);
        FloatVector m = FloatVector.broadcast(F, lanes[AT + 8 + j]);
        for (int i = 0; i < 32; i += L) {
          FloatVector v = FloatVector.fromArray(F, x, xAt + b * BLOCK + 32 * j + i);
          long codes = at + 16 + 32L * (j >> 1) + i;
          IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
          q = q.lanewise(VectorOperators.LSHR, 4 * (j & 1)).and(15);
          a = ((FloatVector) q.convert(VectorOperators.I2F, 0)).fma(d, m).fma(v, a);
        }
      }
    }
    a.intoArray(lanes, to);
  }

  /// Writes the scales `d sc` and the minimums `-dmin mn` of the block at `at`, eight each.
  static void unpack(MemorySegment w, long at, float[] target, int to) {
    float d = Float.float16ToFloat(w.get(HALF, at));
    float m = -Float.float16ToFloat(w.get(HALF, at + 2));
    int high = w.get(INT, at + 12);
    long scales = scales(w.get(INT, at + 4), high);
    long minimums = minimums(w.get(INT, at + 8), high);
    if (L == 16) {
      IntVector both =
          (IntVector)
              LongVector.broadcast(LongVector.SPECIES_128, scales)
                  .withLane(1, minimums)
                  .reinterpretAsBytes()
                  .castShape(I, 0);
      ((FloatVector) both.convert(VectorOperators.I2F, 0))
          .mul(FloatVector.broadcast(F, d).blend(m, MINIMUMS))
          .intoArray(target, to);
      return;
    }
    for (int i = 0; i < 8; i++) {
      target[to + i] = d * (scales >>> 8 * i & 63);
      target[to + 8 + i] = m * (minimums >>> 8 * i & 63);
    }
  }

  /// The eight 6-bit scales as bytes: four in the low bits of `low`'s bytes, four whose low halves
  /// are those of `high`'s bytes and whose top bits are those of `low`'s.
  static long scales(int low, int high) {
    int first = low & 0x3f3f3f3f;
    int second = high & 0x0f0f0f0f | (low >>> 6 & 0x03030303) << 4;
    return first & 0xffffffffL | (long) second << 32;
  }

  /// The eight 6-bit minimums, likewise, from the high halves of `high`'s bytes.
  static long minimums(int low, int high) {
    int first = low & 0x3f3f3f3f;
    int second = high >>> 4 & 0x0f0f0f0f | (low >>> 6 & 0x03030303) << 4;
    return first & 0xffffffffL | (long) second << 32;
  }
}
