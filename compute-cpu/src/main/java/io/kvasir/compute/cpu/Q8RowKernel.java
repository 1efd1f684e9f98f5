package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Q8_0: blocks of 32 weights `w = q d`, an f16 `d` before 32 signed bytes.
///
/// The product `q d` has at most 19 significant bits, so it is exact in f32. Four outputs at a time
/// share the loads of `x`; 34 bytes moved per 32 weights.
final class Q8RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B = ByteVector.SPECIES_128;
  private static final int BLOCK = 32;
  private static final int BYTES = 34;

  @Override
  public void multiply(Product p, int row, int from, int to, float[] lanes) {
    for (int o = from; o < to; o += 4) {
      four(p, row, o, to - 1, lanes);
      for (int i = 0; i < Math.min(4, to - o); i++) {
        p.out[p.outAt + row * p.outStride + o + i] = Lanes.sum(lanes, i * L) + p.biasOf(o + i);
      }
    }
  }

  private static void four(Product p, int row, int first, int last, float[] lanes) {
    MemorySegment w = p.weights;
    float[] x = p.x;
    int xAt = p.xAt + row * p.xStride;
    int blocks = p.columns / BLOCK;
    long w0 = first * p.rowBytes;
    long w1 = Math.min(first + 1, last) * p.rowBytes;
    long w2 = Math.min(first + 2, last) * p.rowBytes;
    long w3 = Math.min(first + 3, last) * p.rowBytes;
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    for (int b = 0; b < blocks; b++) {
      long at = (long) b * BYTES;
      FloatVector xl = FloatVector.fromArray(F, x, xAt + b * BLOCK);
      FloatVector xh = FloatVector.fromArray(F, x, xAt + b * BLOCK + 16);
      float d0 = Float.float16ToFloat(w.get(HALF, w0 + at));
      float d1 = Float.float16ToFloat(w.get(HALF, w1 + at));
      float d2 = Float.float16ToFloat(w.get(HALF, w2 + at));
      float d3 = Float.float16ToFloat(w.get(HALF, w3 + at));
      FloatVector q0 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, w0 + at + 2, LE).castShape(F, 0);
      FloatVector q1 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, w1 + at + 2, LE).castShape(F, 0);
      FloatVector q2 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, w2 + at + 2, LE).castShape(F, 0);
      FloatVector q3 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, w3 + at + 2, LE).castShape(F, 0);
      a0 = q0.mul(d0).fma(xl, a0);
      a1 = q1.mul(d1).fma(xl, a1);
      a2 = q2.mul(d2).fma(xl, a2);
      a3 = q3.mul(d3).fma(xl, a3);
      q0 = (FloatVector) ByteVector.fromMemorySegment(B, w, w0 + at + 18, LE).castShape(F, 0);
      q1 = (FloatVector) ByteVector.fromMemorySegment(B, w, w1 + at + 18, LE).castShape(F, 0);
      q2 = (FloatVector) ByteVector.fromMemorySegment(B, w, w2 + at + 18, LE).castShape(F, 0);
      q3 = (FloatVector) ByteVector.fromMemorySegment(B, w, w3 + at + 18, LE).castShape(F, 0);
      a0 = q0.mul(d0).fma(xh, a0);
      a1 = q1.mul(d1).fma(xh, a1);
      a2 = q2.mul(d2).fma(xh, a2);
      a3 = q3.mul(d3).fma(xh, a3);
    }
    a0.intoArray(lanes, 0);
    a1.intoArray(lanes, L);
    a2.intoArray(lanes, 2 * L);
    a3.intoArray(lanes, 3 * L);
  }
}
