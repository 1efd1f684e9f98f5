package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// [PanelDecoders] of the formats of a [KOrder], in its order.
final class WidePanelDecoders {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
  private static final long STRIDE = PanelDecoders.STRIDE;
  private static final long VECTOR = (long) L * Float.BYTES;

  /// Vectors of a block.
  private static final int STEPS = KOrder.WIDTH / 16;

  private WidePanelDecoders() {}

  static void q4K(PanelDecoders.Source source, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / KOrder.BLOCK; b++) {
      for (int row = 0; row < PanelTile.OUTPUTS; row++) {
        long block = source.rows[row] + 144L * b;
        q4KBlock(source.weights, block, panel, to + STRIDE * STEPS * b + VECTOR * row);
      }
    }
  }

  private static void q4KBlock(MemorySegment w, long block, MemorySegment panel, long to) {
    IntVector low =
        IntVector.broadcast(I, w.get(INT, block + 4))
            .blend(IntVector.broadcast(I, w.get(INT, block + 8)), Q4KWideKernel.MINIMUMS);
    IntVector high = low.lanewise(VectorOperators.ROR, Q4KWideKernel.RIGHT_OF_HIGH);
    low = low.blend(IntVector.broadcast(I, w.get(INT, block + 12)), Q4KWideKernel.LAST_FOUR);
    low = low.lanewise(VectorOperators.ROR, Q4KWideKernel.RIGHT).and(Q4KWideKernel.LOW_BITS);
    IntVector d =
        IntVector.broadcast(I, w.get(INT, block))
            .lanewise(VectorOperators.LSHL, Q4KWideKernel.HALF_LEFT)
            .lanewise(VectorOperators.ASHR, 3)
            .and(F16RowKernel.SIGN_AND_NUMBER);
    low = low.or(high.and(Q4KWideKernel.HIGH_BITS));
    FloatVector scales =
        ((FloatVector) low.convert(VectorOperators.I2F, 0))
            .mul(d.reinterpretAsFloats().mul(Q4KWideKernel.REBIAS));
    long p = to;
    for (int j = 0; j < 4; j++) {
      FloatVector s = scales.rearrange(Q4KWideKernel.SPREAD);
      scales = scales.rearrange(Q4KWideKernel.NEXT);
      IntVector q =
          IntVector.fromMemorySegment(I, w, block + 16 + 32L * (j & 2), LE)
              .lanewise(VectorOperators.LSHR, 4 * (j & 1));
      for (int t = 0; t < 4; t++) {
        ((FloatVector) q.and(15 << 8 * t).convert(VectorOperators.I2F, 0))
            .mul(s)
            .intoMemorySegment(panel, p, NATIVE);
        p += STRIDE;
      }
    }
    scales.intoMemorySegment(panel, p, NATIVE);
  }

  static void q6K(PanelDecoders.Source source, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / KOrder.BLOCK; b++) {
      for (int row = 0; row < PanelTile.OUTPUTS; row++) {
        long block = source.rows[row] + 210L * b;
        q6KBlock(source.weights, block, panel, to + STRIDE * STEPS * b + VECTOR * row);
      }
    }
  }

  private static void q6KBlock(MemorySegment w, long block, MemorySegment panel, long to) {
    FloatVector scales = Q6KWideKernel.scales(w, block);
    long p = to;
    for (int j = 0; j < 4; j++) {
      FloatVector s = Q6KWideKernel.spread(scales);
      scales = Q6KWideKernel.next(scales);
      IntVector q = Q6KWideKernel.codes(w, block, j);
      for (int t = 0; t < 4; t++) {
        ((FloatVector) q.and(63 << 8 * t).convert(VectorOperators.I2F, 0))
            .mul(s)
            .intoMemorySegment(panel, p, NATIVE);
        p += STRIDE;
      }
    }
    scales.intoMemorySegment(panel, p, NATIVE);
  }
}
