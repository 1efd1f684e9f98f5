package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// BF16 weights, which are the upper halves of f32 numbers; 2 bytes moved per weight.
final class Bf16RowKernel implements RowKernel {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(L * Short.SIZE));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

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
      IntVector b0 = (IntVector) ShortVector.fromMemorySegment(S, w, w0 + at, LE).castShape(I, 0);
      IntVector b1 = (IntVector) ShortVector.fromMemorySegment(S, w, w1 + at, LE).castShape(I, 0);
      IntVector b2 = (IntVector) ShortVector.fromMemorySegment(S, w, w2 + at, LE).castShape(I, 0);
      IntVector b3 = (IntVector) ShortVector.fromMemorySegment(S, w, w3 + at, LE).castShape(I, 0);
      a0 = b0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(v, a0);
      a1 = b1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(v, a1);
      a2 = b2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(v, a2);
      a3 = b3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(v, a3);
    }
    a0.intoArray(lanes, to);
    a1.intoArray(lanes, to + L);
    a2.intoArray(lanes, to + 2 * L);
    a3.intoArray(lanes, to + 3 * L);
  }
}
