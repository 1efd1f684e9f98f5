package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/// F32 weights; 4 bytes moved per weight.
final class F32RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

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
      long at = 4L * k;
      FloatVector v = FloatVector.fromArray(F, x, xAt + k);
      for (int i = 0; i < 16 * L; i += 64) {}
      a0 = FloatVector.fromMemorySegment(F, w, w0 + at, LE).fma(v, a0);
      a1 = FloatVector.fromMemorySegment(F, w, w1 + at, LE).fma(v, a1);
      a2 = FloatVector.fromMemorySegment(F, w, w2 + at, LE).fma(v, a2);
      a3 = FloatVector.fromMemorySegment(F, w, w3 + at, LE).fma(v, a3);
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
    a2.intoArray(lanes, to + 2 * L);
    a3.intoArray(lanes, to + 3 * L);
  }
}
