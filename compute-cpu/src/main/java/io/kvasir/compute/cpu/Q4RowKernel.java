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

/// Q4_0: blocks of 32 weights `w = (q - 8) d`, an f16 `d` before 16 bytes; byte `i` holds weight
/// `i` low and weight `i + 16` high.
///
/// With 16 lanes a block's sixteen possible weights are one vector, and a code looks its weight up
/// (measured 1.3 times as fast as converting the code); with fewer lanes codes are converted. Both
/// are exact. 18 bytes moved per 32 weights.
final class Q4RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(L * Byte.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final int BLOCK = 32;
  private static final int BYTES = 18;
  private static final FloatVector CODES = FloatVector.zero(F).addIndex(1).sub(8);

  @Override
  public int groupSize() {
    return 4;
  }

  @Override
  public void group(Product p, int row, int first, int stride, int last, float[] lanes, int to) {
    MemorySegment w = p.weights;
    float[] x = p.x;
    int xAt = p.inputAt(row);
    long w0 = first * p.rowBytes;
    long w1 = Math.min(first + stride, last) * p.rowBytes;
    long w2 = Math.min(first + 2 * stride, last) * p.rowBytes;
    long w3 = Math.min(first + 3 * stride, last) * p.rowBytes;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    int blocks = p.columns / BLOCK;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      float d0 = Float.float16ToFloat(w.get(HALF, w0 + at));
      float d1 = Float.float16ToFloat(w.get(HALF, w1 + at));
      float d2 = Float.float16ToFloat(w.get(HALF, w2 + at));
      float d3 = Float.float16ToFloat(w.get(HALF, w3 + at));
      if (L == 16) {
        IntVector q0 =
            (IntVector) ByteVector.fromMemorySegment(B, w, w0 + at + 2, LE).castShape(I, 0);
        IntVector q1 =
            (IntVector) ByteVector.fromMemorySegment(B, w, w1 + at + 2, LE).castShape(I, 0);
        IntVector q2 =
            (IntVector) ByteVector.fromMemorySegment(B, w, w2 + at + 2, LE).castShape(I, 0);
        IntVector q3 =
            (IntVector) ByteVector.fromMemorySegment(B, w, w3 + at + 2, LE).castShape(I, 0);
        IntVector t0 = CODES.mul(d0).reinterpretAsInts();
        IntVector t1 = CODES.mul(d1).reinterpretAsInts();
        IntVector t2 = CODES.mul(d2).reinterpretAsInts();
        IntVector t3 = CODES.mul(d3).reinterpretAsInts();
        FloatVector v = FloatVector.fromArray(F, x, xAt + b * BLOCK);
        a0 = q0.selectFrom(t0).reinterpretAsFloats().fma(v, a0);
        a1 = q1.selectFrom(t1).reinterpretAsFloats().fma(v, a1);
        a2 = q2.selectFrom(t2).reinterpretAsFloats().fma(v, a2);
        a3 = q3.selectFrom(t3).reinterpretAsFloats().fma(v, a3);
        v = FloatVector.fromArray(F, x, xAt + b * BLOCK + 16);
        q0 = q0.lanewise(VectorOperators.LSHR, 4);
        q1 = q1.lanewise(VectorOperators.LSHR, 4);
        q2 = q2.lanewise(VectorOperators.LSHR, 4);
        q3 = q3.lanewise(VectorOperators.LSHR, 4);
        a0 = q0.selectFrom(t0).reinterpretAsFloats().fma(v, a0);
        a1 = q1.selectFrom(t1).reinterpretAsFloats().fma(v, a1);
        a2 = q2.selectFrom(t2).reinterpretAsFloats().fma(v, a2);
        a3 = q3.selectFrom(t3).reinterpretAsFloats().fma(v, a3);
      } else {
        for (int i = 0; i < BLOCK; i += L) {
          FloatVector v = FloatVector.fromArray(F, x, xAt + b * BLOCK + i);
          long q = at + 2 + (i & 15);
          int shift = i >> 4 << 2;
          IntVector q0 = (IntVector) ByteVector.fromMemorySegment(B, w, w0 + q, LE).castShape(I, 0);
          IntVector q1 = (IntVector) ByteVector.fromMemorySegment(B, w, w1 + q, LE).castShape(I, 0);
          IntVector q2 = (IntVector) ByteVector.fromMemorySegment(B, w, w2 + q, LE).castShape(I, 0);
          IntVector q3 = (IntVector) ByteVector.fromMemorySegment(B, w, w3 + q, LE).castShape(I, 0);
          q0 = q0.lanewise(VectorOperators.LSHR, shift).and(15).sub(8);
          q1 = q1.lanewise(VectorOperators.LSHR, shift).and(15).sub(8);
          q2 = q2.lanewise(VectorOperators.LSHR, shift).and(15).sub(8);
          q3 = q3.lanewise(VectorOperators.LSHR, shift).and(15).sub(8);
          a0 = ((FloatVector) q0.convert(VectorOperators.I2F, 0)).mul(d0).fma(v, a0);
          a1 = ((FloatVector) q1.convert(VectorOperators.I2F, 0)).mul(d1).fma(v, a1);
          a2 = ((FloatVector) q2.convert(VectorOperators.I2F, 0)).mul(d2).fma(v, a2);
          a3 = ((FloatVector) q3.convert(VectorOperators.I2F, 0)).mul(d3).fma(v, a3);
        }
      }
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
    a2.intoArray(lanes, to + 2 * L);
    a3.intoArray(lanes, to + 3 * L);
  }
}
