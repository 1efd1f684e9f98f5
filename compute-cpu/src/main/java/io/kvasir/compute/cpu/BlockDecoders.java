package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Vector decoders of the common formats for products of many rows, whose cost is shared by the
/// rows. The layouts are those of the [RowKernel]s of the same formats; bits are those of the
/// codecs. Block formats need vectors of 8 lanes or more.
final class BlockDecoders {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, L * Short.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private BlockDecoders() {}

  static void f32(MemorySegment w, long at, float[] target, int to, int count) {
    MemorySegment.copy(w, FLOAT, at, target, to, count);
  }

  static void bf16(MemorySegment w, long at, float[] target, int to, int count) {
    int end = F.loopBound(count);
    for (int k = 0; k < end; k += L) {
      IntVector bits =
          (IntVector) ShortVector.fromMemorySegment(S, w, at + 2L * k, LE).castShape(I, 0);
      bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(target, to + k);
    }
    for (int k = end; k < count; k++) {
      target[to + k] = Float.intBitsToFloat(w.get(HALF, at + 2L * k) << 16);
    }
  }

  static void f16(MemorySegment w, long at, float[] target, int to, int count) {
    int end = F.loopBound(count);
    for (int k = 0; k < end; k += L) {
      IntVector bits =
          (IntVector) ShortVector.fromMemorySegment(S, w, at + 2L * k, LE).castShape(I, 0);
      bits = bits.lanewise(VectorOperators.LSHL, 13).and(F16RowKernel.SIGN_AND_NUMBER);
      VectorMask<Float> special =
          bits.and(F16RowKernel.EXPONENT)
              .compare(VectorOperators.EQ, F16RowKernel.EXPONENT)
              .cast(F);
      bits.reinterpretAsFloats()
          .mul(F16RowKernel.REBIAS)
          .blend(bits.or(F16RowKernel.TO_SPECIAL).reinterpretAsFloats(), special)
          .intoArray(target, to + k);
    }
    for (int k = end; k < count; k++) {
      target[to + k] = Float.float16ToFloat(w.get(HALF, at + 2L * k));
    }
  }

  /// Reads f16 numbers that are finite, as scales of cache formats are; a multiple of 16 of them.
  static void finiteF16(MemorySegment w, long at, float[] target, int to, int count) {
    for (int k = 0; k < count; k += L) {
      IntVector bits =
          (IntVector) ShortVector.fromMemorySegment(S, w, at + 2L * k, LE).castShape(I, 0);
      bits.lanewise(VectorOperators.LSHL, 13)
          .and(F16RowKernel.SIGN_AND_NUMBER)
          .reinterpretAsFloats()
          .mul(F16RowKernel.REBIAS)
          .intoArray(target, to + k);
    }
  }

  static void q8(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 34L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      for (int i = 0; i < 32; i += L) {
        FloatVector q =
            (FloatVector) ByteVector.fromMemorySegment(B, w, block + 2 + i, LE).castShape(F, 0);
        q.mul(d).intoArray(target, to + 32 * b + i);
      }
    }
  }

  static void q4(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 18L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      for (int i = 0; i < 16; i += L) {
        IntVector q =
            (IntVector) ByteVector.fromMemorySegment(B, w, block + 2 + i, LE).castShape(I, 0);
        FloatVector low = (FloatVector) q.and(15).sub(8).convert(VectorOperators.I2F, 0);
        q = q.lanewise(VectorOperators.LSHR, 4).and(15).sub(8);
        low.mul(d).intoArray(target, to + 32 * b + i);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoArray(target, to + 32 * b + 16 + i);
      }
    }
  }

  static void q4K(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 144L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      float m = -Float.float16ToFloat(w.get(HALF, block + 2));
      long scales = Q4KRowKernel.scales(w.get(INT, block + 4), w.get(INT, block + 12));
      long minimums = Q4KRowKernel.minimums(w.get(INT, block + 8), w.get(INT, block + 12));
      for (int j = 0; j < 4; j++) {
        FloatVector dl = FloatVector.broadcast(F, d * (scales >>> 16 * j & 63));
        FloatVector ml = FloatVector.broadcast(F, m * (minimums >>> 16 * j & 63));
        FloatVector dh = FloatVector.broadcast(F, d * (scales >>> 16 * j + 8 & 63));
        FloatVector mh = FloatVector.broadcast(F, m * (minimums >>> 16 * j + 8 & 63));
        for (int i = 0; i < 32; i += L) {
          long codes = block + 16 + 32L * j + i;
          int k = to + 256 * b + 64 * j + i;
          IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
          FloatVector low = (FloatVector) q.and(15).convert(VectorOperators.I2F, 0);
          q = q.lanewise(VectorOperators.LSHR, 4).and(15);
          low.fma(dl, ml).intoArray(target, k);
          ((FloatVector) q.convert(VectorOperators.I2F, 0)).fma(dh, mh).intoArray(target, k + 32);
        }
      }
    }
  }

  static void q6K(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 210L * b;
      float d = Float.float16ToFloat(w.get(HALF, block + 208));
      for (int i = 0; i < 32; i += L) {
        q6Half(w, block, i, d, target, to + 256 * b + i);
        q6Half(w, block, 32 + i, d, target, to + 256 * b + 128 + i);
      }
    }
  }

  /// The four planes of 32 weights that share the bytes of `qh` from `i` on; `i` counts through
  /// both halves.
  private static void q6Half(MemorySegment w, long block, int i, float d, float[] target, int to) {
    long low = block + i + (i & 32);
    long scale = block + 192 + (i >> 4 & 1) + (i >> 5) * 8L;
    IntVector h =
        (IntVector) ByteVector.fromMemorySegment(B, w, block + 128 + i, LE).castShape(I, 0);
    for (int plane = 0; plane < 4; plane++) {
      IntVector q =
          (IntVector)
              ByteVector.fromMemorySegment(B, w, low + 32L * (plane & 1), LE).castShape(I, 0);
      q = q.lanewise(VectorOperators.LSHR, 4 * (plane >> 1)).and(15);
      q =
          q.or(
              h.lanewise(VectorOperators.LSHR, 2 * plane).and(3).lanewise(VectorOperators.LSHL, 4));
      float dl = d * w.get(ValueLayout.JAVA_BYTE, scale + 2L * plane);
      ((FloatVector) q.sub(32).convert(VectorOperators.I2F, 0))
          .mul(dl)
          .intoArray(target, to + 32 * plane);
    }
  }
}
