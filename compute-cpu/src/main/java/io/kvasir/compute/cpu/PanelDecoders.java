package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.Map;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Decoders of the common formats that write a row straight into a panel of [PanelTile], where its
/// vectors are [#STRIDE] bytes apart; for vectors of 16 lanes. Bits are those of the codecs.
///
/// In a batch of a few rows decoding is half of the work: writing rows to the heap first and
/// packing them afterwards costs as much again as decoding.
final class PanelDecoders {
  /// Bytes from a vector of a row to its next.
  static final long STRIDE = (long) PanelTile.OUTPUTS * L * Float.BYTES;

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, L * Short.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final FloatVector CODES = FloatVector.zero(F).addIndex(1);
  private static final FloatVector SIGNED_CODES = CODES.sub(8);

  /// Decodes `count` weights at `at` of `w` to `to` of `panel`.
  interface Decoder {
    void decode(MemorySegment w, long at, MemorySegment panel, long to, int count);
  }

  private static final Map<TensorType, Decoder> DECODERS = new EnumMap<>(TensorType.class);

  static {
    if (PanelTile.SUPPORTED) {
      DECODERS.put(TensorType.BF16, PanelDecoders::bf16);
      DECODERS.put(TensorType.Q8_0, PanelDecoders::q8);
      DECODERS.put(TensorType.Q4_0, PanelDecoders::q4);
      DECODERS.put(TensorType.Q4_K, PanelDecoders::q4K);
      DECODERS.put(TensorType.Q6_K, PanelDecoders::q6K);
    }
  }

  private PanelDecoders() {}

  static @Nullable Decoder find(TensorType type) {
    return DECODERS.get(type);
  }

  private static void bf16(MemorySegment w, long at, MemorySegment panel, long to, int count) {
    for (int v = 0; v < count / L; v++) {
      IntVector bits =
          (IntVector) ShortVector.fromMemorySegment(S, w, at + 32L * v, LE).castShape(I, 0);
      bits.lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoMemorySegment(panel, to + STRIDE * v, NATIVE);
    }
  }

  private static void q8(MemorySegment w, long at, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 34L * b;
      long p = to + 2 * STRIDE * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      FloatVector q0 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, block + 2, LE).castShape(F, 0);
      FloatVector q1 =
          (FloatVector) ByteVector.fromMemorySegment(B, w, block + 18, LE).castShape(F, 0);
      q0.mul(d).intoMemorySegment(panel, p, NATIVE);
      q1.mul(d).intoMemorySegment(panel, p + STRIDE, NATIVE);
    }
  }

  private static void q4(MemorySegment w, long at, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 18L * b;
      long p = to + 2 * STRIDE * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      IntVector table = SIGNED_CODES.mul(d).reinterpretAsInts();
      IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, block + 2, LE).castShape(I, 0);
      q.selectFrom(table).reinterpretAsFloats().intoMemorySegment(panel, p, NATIVE);
      q.lanewise(VectorOperators.LSHR, 4)
          .selectFrom(table)
          .reinterpretAsFloats()
          .intoMemorySegment(panel, p + STRIDE, NATIVE);
    }
  }

  private static void q4K(MemorySegment w, long at, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 144L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      float m = -Float.float16ToFloat(w.get(HALF, block + 2));
      long scales = Q4KRowKernel.scales(w.get(INT, block + 4), w.get(INT, block + 12));
      long minimums = Q4KRowKernel.minimums(w.get(INT, block + 8), w.get(INT, block + 12));
      for (int j = 0; j < 4; j++) {
        FloatVector ml = FloatVector.broadcast(F, m * (minimums >>> 16 * j & 63));
        FloatVector mh = FloatVector.broadcast(F, m * (minimums >>> 16 * j + 8 & 63));
        FloatVector dl = FloatVector.broadcast(F, d * (scales >>> 16 * j & 63));
        FloatVector dh = FloatVector.broadcast(F, d * (scales >>> 16 * j + 8 & 63));
        IntVector low = CODES.fma(dl, ml).reinterpretAsInts();
        IntVector high = CODES.fma(dh, mh).reinterpretAsInts();
        long codes = block + 16 + 32L * j;
        long p = to + STRIDE * (16L * b + 4L * j);
        IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
        IntVector r =
            (IntVector) ByteVector.fromMemorySegment(B, w, codes + 16, LE).castShape(I, 0);
        q.selectFrom(low).reinterpretAsFloats().intoMemorySegment(panel, p, NATIVE);
        r.selectFrom(low).reinterpretAsFloats().intoMemorySegment(panel, p + STRIDE, NATIVE);
        q = q.lanewise(VectorOperators.LSHR, 4);
        r = r.lanewise(VectorOperators.LSHR, 4);
        q.selectFrom(high).reinterpretAsFloats().intoMemorySegment(panel, p + 2 * STRIDE, NATIVE);
        r.selectFrom(high).reinterpretAsFloats().intoMemorySegment(panel, p + 3 * STRIDE, NATIVE);
      }
    }
  }

  private static void q6K(MemorySegment w, long at, MemorySegment panel, long to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 210L * b;
      float d = Float.float16ToFloat(w.get(HALF, block + 208));
      for (int i = 0; i < 64; i += L) {
        // 64 bytes of high bits are two halves of 32, whose planes of 32 weights follow.
        long half = i >> 5;
        long p = to + STRIDE * (16L * b + 8 * half + (i >> 4 & 1));
        IntVector h =
            (IntVector) ByteVector.fromMemorySegment(B, w, block + 128 + i, LE).castShape(I, 0);
        long codes = block + 64 * half + (i & 31);
        IntVector even = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
        IntVector odd =
            (IntVector) ByteVector.fromMemorySegment(B, w, codes + 32, LE).castShape(I, 0);
        long scale = block + 192 + 8 * half + (i >> 4 & 1);
        float d0 = d * w.get(ValueLayout.JAVA_BYTE, scale);
        float d1 = d * w.get(ValueLayout.JAVA_BYTE, scale + 2);
        float d2 = d * w.get(ValueLayout.JAVA_BYTE, scale + 4);
        float d3 = d * w.get(ValueLayout.JAVA_BYTE, scale + 6);
        IntVector q = even.and(15).or(h.lanewise(VectorOperators.LSHL, 4).and(48)).sub(32);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d0)
            .intoMemorySegment(panel, p, NATIVE);
        q = odd.and(15).or(h.lanewise(VectorOperators.LSHL, 2).and(48)).sub(32);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d1)
            .intoMemorySegment(panel, p + 2 * STRIDE, NATIVE);
        q = even.lanewise(VectorOperators.LSHR, 4).and(15).or(h.and(48)).sub(32);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d2)
            .intoMemorySegment(panel, p + 4 * STRIDE, NATIVE);
        q =
            odd.lanewise(VectorOperators.LSHR, 4)
                .and(15)
                .or(h.lanewise(VectorOperators.LSHR, 2).and(48))
                .sub(32);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d3)
            .intoMemorySegment(panel, p + 6 * STRIDE, NATIVE);
      }
    }
  }
}
