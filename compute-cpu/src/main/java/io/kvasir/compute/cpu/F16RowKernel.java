package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// F16 weights; 2 bytes moved per weight.
///
/// The half's exponent and fraction, shifted to their places in a float, give the number times
/// 2^-112; one exact multiplication puts that right, subnormal halves included. Infinities and NaNs
/// get the exponent of a float's instead.
final class F16RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(L * Short.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  static final int SIGN_AND_NUMBER = 0x8fffe000;
  static final int EXPONENT = 0x0f800000;
  static final int TO_SPECIAL = 0x70000000;
  static final float REBIAS = 0x1p112f;

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
    int end = F.loopBound(p.columns);
    for (int k = 0; k < end; k += L) {
      long at = 2L * k;
      FloatVector v = FloatVector.fromArray(F, x, xAt + k);
      IntVector h0 = (IntVector) ShortVector.fromMemorySegment(S, w, w0 + at, LE).castShape(I, 0);
      IntVector h1 = (IntVector) ShortVector.fromMemorySegment(S, w, w1 + at, LE).castShape(I, 0);
      IntVector h2 = (IntVector) ShortVector.fromMemorySegment(S, w, w2 + at, LE).castShape(I, 0);
      IntVector h3 = (IntVector) ShortVector.fromMemorySegment(S, w, w3 + at, LE).castShape(I, 0);
      h0 = h0.lanewise(VectorOperators.LSHL, 13).and(SIGN_AND_NUMBER);
      h1 = h1.lanewise(VectorOperators.LSHL, 13).and(SIGN_AND_NUMBER);
      h2 = h2.lanewise(VectorOperators.LSHL, 13).and(SIGN_AND_NUMBER);
      h3 = h3.lanewise(VectorOperators.LSHL, 13).and(SIGN_AND_NUMBER);
      VectorMask<Float> s0 = h0.and(EXPONENT).compare(VectorOperators.EQ, EXPONENT).cast(F);
      VectorMask<Float> s1 = h1.and(EXPONENT).compare(VectorOperators.EQ, EXPONENT).cast(F);
      VectorMask<Float> s2 = h2.and(EXPONENT).compare(VectorOperators.EQ, EXPONENT).cast(F);
      VectorMask<Float> s3 = h3.and(EXPONENT).compare(VectorOperators.EQ, EXPONENT).cast(F);
      FloatVector f0 = h0.reinterpretAsFloats().mul(REBIAS);
      FloatVector f1 = h1.reinterpretAsFloats().mul(REBIAS);
      FloatVector f2 = h2.reinterpretAsFloats().mul(REBIAS);
      FloatVector f3 = h3.reinterpretAsFloats().mul(REBIAS);
      f0 = f0.blend(h0.or(TO_SPECIAL).reinterpretAsFloats(), s0);
      f1 = f1.blend(h1.or(TO_SPECIAL).reinterpretAsFloats(), s1);
      f2 = f2.blend(h2.or(TO_SPECIAL).reinterpretAsFloats(), s2);
      f3 = f3.blend(h3.or(TO_SPECIAL).reinterpretAsFloats(), s3);
      a0 = f0.fma(v, a0);
      a1 = f1.fma(v, a1);
      a2 = f2.fma(v, a2);
      a3 = f3.fma(v, a3);
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
    a2.intoArray(lanes, to + 2 * L);
    a3.intoArray(lanes, to + 3 * L);
  }
}
