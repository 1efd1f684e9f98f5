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
  private static final int AT = 4 * L + 16;

  private static final VectorSpecies<Integer> I4 = IntVector.SPECIES_128;
  private static final IntVector BYTES_OF = IntVector.zero(I4).addIndex(8);
  private static final FloatVector CODES = FloatVector.zero(F).addIndex(1);

  @Override
  public int groupSize() {
    return 2;
  }

  @Override
  public void group(Product p, int row, int first, int last, float[] lanes) {
    MemorySegment w = p.weights;
    float[] x = p.x;
    int xAt = p.xAt + row * p.xStride;
    long w0 = first * p.rowBytes;
    long w1 = Math.min(first + 1, last) * p.rowBytes;
    long next = Math.clamp(w0 + 2 * p.rowBytes, 0, w.byteSize() - 2 * p.rowBytes);
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    int touched = 0;
    int blocks = p.columns / BLOCK;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      float s0 = Float.float16ToFloat(w.get(HALF, w0 + at));
      float s1 = Float.float16ToFloat(w.get(HALF, w1 + at));
      float n0 = -Float.float16ToFloat(w.get(HALF, w0 + at + 2));
      float n1 = -Float.float16ToFloat(w.get(HALF, w1 + at + 2));
      unpack(w, w0 + at + 4, s0, n0, lanes, AT);
      unpack(w, w1 + at + 4, s1, n1, lanes, AT + 16);
      touched += w.get(ValueLayout.JAVA_BYTE, next + 2 * at + 256);
      if (L == 16) {
        for (int j = 0; j < 4; j++) {
          touched += w.get(ValueLayout.JAVA_BYTE, next + 2 * at + 64L * j);
          int k = xAt + b * BLOCK + 64 * j;
          FloatVector d0 = FloatVector.broadcast(F, lanes[AT + 2 * j]);
          FloatVector d1 = FloatVector.broadcast(F, lanes[AT + 16 + 2 * j]);
          FloatVector m0 = FloatVector.broadcast(F, lanes[AT + 8 + 2 * j]);
          FloatVector m1 = FloatVector.broadcast(F, lanes[AT + 24 + 2 * j]);
          IntVector t0 = CODES.fma(d0, m0).reinterpretAsInts();
          IntVector t1 = CODES.fma(d1, m1).reinterpretAsInts();
          d0 = FloatVector.broadcast(F, lanes[AT + 1 + 2 * j]);
          d1 = FloatVector.broadcast(F, lanes[AT + 17 + 2 * j]);
          m0 = FloatVector.broadcast(F, lanes[AT + 9 + 2 * j]);
          m1 = FloatVector.broadcast(F, lanes[AT + 25 + 2 * j]);
          IntVector u0 = CODES.fma(d0, m0).reinterpretAsInts();
          IntVector u1 = CODES.fma(d1, m1).reinterpretAsInts();
          long q = at + 16 + 32L * j;
          IntVector q0 = (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q, LE).castShape(I, 0);
          IntVector q1 = (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q, LE).castShape(I, 0);
          IntVector r0 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q + 16, LE).castShape(I, 0);
          IntVector r1 =
              (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q + 16, LE).castShape(I, 0);
          FloatVector v = FloatVector.fromArray(F, x, k);
          a0 = q0.selectFrom(t0).reinterpretAsFloats().fma(v, a0);
          a1 = q1.selectFrom(t1).reinterpretAsFloats().fma(v, a1);
          v = FloatVector.fromArray(F, x, k + 16);
          a0 = r0.selectFrom(t0).reinterpretAsFloats().fma(v, a0);
          a1 = r1.selectFrom(t1).reinterpretAsFloats().fma(v, a1);
          v = FloatVector.fromArray(F, x, k + 32);
          q0 = q0.lanewise(VectorOperators.LSHR, 4);
          q1 = q1.lanewise(VectorOperators.LSHR, 4);
          a0 = q0.selectFrom(u0).reinterpretAsFloats().fma(v, a0);
          a1 = q1.selectFrom(u1).reinterpretAsFloats().fma(v, a1);
          v = FloatVector.fromArray(F, x, k + 48);
          r0 = r0.lanewise(VectorOperators.LSHR, 4);
          r1 = r1.lanewise(VectorOperators.LSHR, 4);
          a0 = r0.selectFrom(u0).reinterpretAsFloats().fma(v, a0);
          a1 = r1.selectFrom(u1).reinterpretAsFloats().fma(v, a1);
        }
        continue;
      }
      for (int j = 0; j < 8; j++) {
        touched += w.get(ValueLayout.JAVA_BYTE, next + 2 * at + 32L * j);
        FloatVector d0 = FloatVector.broadcast(F, lanes[AT + j]);
        FloatVector d1 = FloatVector.broadcast(F, lanes[AT + 16 + j]);
        FloatVector m0 = FloatVector.broadcast(F, lanes[AT + 8 + j]);
        FloatVector m1 = FloatVector.broadcast(F, lanes[AT + 24 + j]);
        for (int i = 0; i < 32; i += L) {
          FloatVector v = FloatVector.fromArray(F, x, xAt + b * BLOCK + 32 * j + i);
          long q = at + 16 + 32L * (j >> 1) + i;
          IntVector q0 = (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q, LE).castShape(I, 0);
          IntVector q1 = (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q, LE).castShape(I, 0);
          q0 = q0.lanewise(VectorOperators.LSHR, 4 * (j & 1));
          q1 = q1.lanewise(VectorOperators.LSHR, 4 * (j & 1));
          FloatVector f0 = (FloatVector) q0.and(15).convert(VectorOperators.I2F, 0);
          FloatVector f1 = (FloatVector) q1.and(15).convert(VectorOperators.I2F, 0);
          a0 = f0.fma(d0, m0).fma(v, a0);
          a1 = f1.fma(d1, m1).fma(v, a1);
        }
      }
    }
    lanes[4 * L] = touched;
    a0.intoArray(lanes, 0);
    a1.intoArray(lanes, L);
  }

  /// Writes the scales `d sc` and the minimums `-dmin mn` of the 12 bytes at `at`, eight each.
  private static void unpack(MemorySegment w, long at, float d, float m, float[] target, int to) {
    int high = w.get(INT, at + 8);
    long scales = scales(w.get(INT, at), high);
    long minimums = minimums(w.get(INT, at + 4), high);
    IntVector s0 = IntVector.broadcast(I4, (int) scales).lanewise(VectorOperators.LSHR, BYTES_OF);
    IntVector s1 =
        IntVector.broadcast(I4, (int) (scales >>> 32)).lanewise(VectorOperators.LSHR, BYTES_OF);
    IntVector m0 = IntVector.broadcast(I4, (int) minimums).lanewise(VectorOperators.LSHR, BYTES_OF);
    IntVector m1 =
        IntVector.broadcast(I4, (int) (minimums >>> 32)).lanewise(VectorOperators.LSHR, BYTES_OF);
    ((FloatVector) s0.and(63).convert(VectorOperators.I2F, 0)).mul(d).intoArray(target, to);
    ((FloatVector) s1.and(63).convert(VectorOperators.I2F, 0)).mul(d).intoArray(target, to + 4);
    ((FloatVector) m0.and(63).convert(VectorOperators.I2F, 0)).mul(m).intoArray(target, to + 8);
    ((FloatVector) m1.and(63).convert(VectorOperators.I2F, 0)).mul(m).intoArray(target, to + 12);
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
