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
/// In a batch of a few rows decoding is half of the work. The four rows of a tile are decoded block
/// by block in turn: one row after the other is one stream from memory at a time, and waits for it
/// three times as long as it computes.
final class PanelDecoders {
  private static final long VECTOR = (long) L * Float.BYTES;

  /// Bytes from a vector of a row to its next.
  static final long STRIDE = PanelTile.OUTPUTS * VECTOR;

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, L * Short.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  /// Decodes a tile of `count` columns to byte `to` of `panel`.
  interface Decoder {
    void decode(Source source, MemorySegment panel, long to, int count);
  }

  /// Where the rows of a tile are.
  static final class Source {
    MemorySegment weights = MemorySegment.NULL;
    final long[] rows = new long[PanelTile.OUTPUTS];
    private final float[] scales = new float[16];
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

  private static void bf16(Source source, MemorySegment panel, long to, int count) {
    MemorySegment w = source.weights;
    long[] rows = source.rows;
    for (int v = 0; v < count / L; v++) {
      long p = to + STRIDE * v;
      bf16Vector(w, rows[0] + 32L * v, panel, p);
      bf16Vector(w, rows[1] + 32L * v, panel, p + VECTOR);
      bf16Vector(w, rows[2] + 32L * v, panel, p + 2 * VECTOR);
      bf16Vector(w, rows[3] + 32L * v, panel, p + 3 * VECTOR);
    }
  }

  private static void bf16Vector(MemorySegment w, long at, MemorySegment panel, long to) {
    IntVector bits = (IntVector) ShortVector.fromMemorySegment(S, w, at, LE).castShape(I, 0);
    bits.lanewise(VectorOperators.LSHL, 16)
        .reinterpretAsFloats()
        .intoMemorySegment(panel, to, NATIVE);
  }

  private static void q8(Source source, MemorySegment panel, long to, int count) {
    MemorySegment w = source.weights;
    long[] rows = source.rows;
    for (int b = 0; b < count / 32; b++) {
      long p = to + 2 * STRIDE * b;
      q8Block(w, rows[0] + 34L * b, panel, p);
      q8Block(w, rows[1] + 34L * b, panel, p + VECTOR);
      q8Block(w, rows[2] + 34L * b, panel, p + 2 * VECTOR);
      q8Block(w, rows[3] + 34L * b, panel, p + 3 * VECTOR);
    }
  }

  private static void q8Block(MemorySegment w, long at, MemorySegment panel, long to) {
    float d = Float.float16ToFloat(w.get(HALF, at));
    FloatVector q0 = (FloatVector) ByteVector.fromMemorySegment(B, w, at + 2, LE).castShape(F, 0);
    FloatVector q1 = (FloatVector) ByteVector.fromMemorySegment(B, w, at + 18, LE).castShape(F, 0);
    q0.mul(d).intoMemorySegment(panel, to, NATIVE);
    q1.mul(d).intoMemorySegment(panel, to + STRIDE, NATIVE);
  }

  private static void q4(Source source, MemorySegment panel, long to, int count) {
    MemorySegment w = source.weights;
    long[] rows = source.rows;
    for (int b = 0; b < count / 32; b++) {
      long p = to + 2 * STRIDE * b;
      q4Block(w, rows[0] + 18L * b, panel, p);
      q4Block(w, rows[1] + 18L * b, panel, p + VECTOR);
      q4Block(w, rows[2] + 18L * b, panel, p + 2 * VECTOR);
      q4Block(w, rows[3] + 18L * b, panel, p + 3 * VECTOR);
    }
  }

  private static void q4Block(MemorySegment w, long at, MemorySegment panel, long to) {
    float d = Float.float16ToFloat(w.get(HALF, at));
    IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, at + 2, LE).castShape(I, 0);
    FloatVector low = (FloatVector) q.and(15).sub(8).convert(VectorOperators.I2F, 0);
    q = q.lanewise(VectorOperators.LSHR, 4).and(15).sub(8);
    low.mul(d).intoMemorySegment(panel, to, NATIVE);
    ((FloatVector) q.convert(VectorOperators.I2F, 0))
        .mul(d)
        .intoMemorySegment(panel, to + STRIDE, NATIVE);
  }

  private static void q4K(Source source, MemorySegment panel, long to, int count) {
    long[] rows = source.rows;
    for (int b = 0; b < count / 256; b++) {
      for (int row = 0; row < PanelTile.OUTPUTS; row++) {
        q4KBlock(source, rows[row] + 144L * b, panel, to + STRIDE * 16 * b + VECTOR * row);
      }
    }
  }

  private static void q4KBlock(Source source, long block, MemorySegment panel, long to) {
    MemorySegment w = source.weights;
    float[] scales = source.scales;
    Q4KRowKernel.unpack(w, block, scales, 0);
    for (int j = 0; j < 4; j++) {
      FloatVector dl = FloatVector.broadcast(F, scales[2 * j]);
      FloatVector dh = FloatVector.broadcast(F, scales[2 * j + 1]);
      FloatVector ml = FloatVector.broadcast(F, scales[8 + 2 * j]);
      FloatVector mh = FloatVector.broadcast(F, scales[9 + 2 * j]);
      long codes = block + 16 + 32L * j;
      long p = to + STRIDE * 4 * j;
      IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
      IntVector r = (IntVector) ByteVector.fromMemorySegment(B, w, codes + 16, LE).castShape(I, 0);
      FloatVector low = (FloatVector) q.and(15).convert(VectorOperators.I2F, 0);
      low.fma(dl, ml).intoMemorySegment(panel, p, NATIVE);
      low = (FloatVector) r.and(15).convert(VectorOperators.I2F, 0);
      low.fma(dl, ml).intoMemorySegment(panel, p + STRIDE, NATIVE);
      q = q.lanewise(VectorOperators.LSHR, 4).and(15);
      ((FloatVector) q.convert(VectorOperators.I2F, 0))
          .fma(dh, mh)
          .intoMemorySegment(panel, p + 2 * STRIDE, NATIVE);
      r = r.lanewise(VectorOperators.LSHR, 4).and(15);
      ((FloatVector) r.convert(VectorOperators.I2F, 0))
          .fma(dh, mh)
          .intoMemorySegment(panel, p + 3 * STRIDE, NATIVE);
    }
  }

  private static void q6K(Source source, MemorySegment panel, long to, int count) {
    MemorySegment w = source.weights;
    long[] rows = source.rows;
    for (int b = 0; b < count / 256; b++) {
      for (int row = 0; row < PanelTile.OUTPUTS; row++) {
        q6KBlock(w, rows[row] + 210L * b, panel, to + STRIDE * 16 * b + VECTOR * row);
      }
    }
  }

  private static void q6KBlock(MemorySegment w, long block, MemorySegment panel, long to) {
    float d = Float.float16ToFloat(w.get(HALF, block + 208));
    for (int i = 0; i < 64; i += L) {
      // 64 bytes of high bits are two halves of 32, whose planes of 32 weights follow.
      long half = i >> 5;
      long p = to + STRIDE * (8 * half + (i >> 4 & 1));
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
      ((FloatVector) q.convert(VectorOperators.I2F, 0)).mul(d0).intoMemorySegment(panel, p, NATIVE);
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
