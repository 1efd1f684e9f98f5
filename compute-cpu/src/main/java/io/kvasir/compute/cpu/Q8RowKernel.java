package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Q8_0: blocks of 32 weights `w = q d`, an f16 `d` before 32 signed bytes.
///
/// The product `q d` has at most 19 significant bits, so it is exact in f32. 34 bytes moved per 32
/// weights.
final class Q8RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(L * Byte.SIZE));
  private static final int BLOCK = 32;
  private static final int BYTES = 34;

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
      for (int i = 0; i < BLOCK; i += L) {
        FloatVector v = FloatVector.fromArray(F, x, xAt + b * BLOCK + i);
        long q = at + 2 + i;
        FloatVector q0 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w0 + q, LE).castShape(F, 0);
        FloatVector q1 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w1 + q, LE).castShape(F, 0);
        FloatVector q2 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w2 + q, LE).castShape(F, 0);
        FloatVector q3 =
            (FloatVector) ByteVector.fromMemorySegment(B, w, w3 + q, LE).castShape(F, 0);
        a0 = q0.mul(d0).fma(v, a0);
        a1 = q1.mul(d1).fma(v, a1);
        a2 = q2.mul(d2).fma(v, a2);
        a3 = q3.mul(d3).fma(v, a3);
      }
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
    a2.intoArray(lanes, to + 2 * L);
    a3.intoArray(lanes, to + 3 * L);
  }
}
