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

  private static final IntVector LANES = IntVector.zero(I).addIndex(1);

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

  /// Q4_1 and, with a word of fifth bits, Q5_1: `w = q d + m`; `q d` is exact, so that adding `m`
  /// rounds as a fused multiply-add does.
  static void q41(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 20L * b;
      FloatVector d = scale(w, block);
      nibbles(w, block + 4, 0, 0, d, scale(w, block + 2), target, to + 32 * b);
    }
  }

  static void q51(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 24L * b;
      FloatVector d = scale(w, block);
      int fifth = w.get(INT, block + 4);
      nibbles(w, block + 8, fifth, 0, d, scale(w, block + 2), target, to + 32 * b);
    }
  }

  /// Q5_0: `w = (q - 16) d`.
  static void q50(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 22L * b;
      int fifth = w.get(INT, block + 2);
      // Adding -0 changes nothing, not even a zero's sign.
      FloatVector none = FloatVector.broadcast(F, -0f);
      nibbles(w, block + 6, fifth, 16, scale(w, block), none, target, to + 32 * b);
    }
  }

  private static FloatVector scale(MemorySegment w, long at) {
    return FloatVector.broadcast(F, Float.float16ToFloat(w.get(HALF, at)));
  }

  /// 32 weights `(q - offset) d + m` of 16 bytes, whose low halves come first.
  private static void nibbles(
      MemorySegment w,
      long codes,
      int fifth,
      int offset,
      FloatVector d,
      FloatVector m,
      float[] target,
      int to) {
    for (int i = 0; i < 16; i += L) {
      IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes + i, LE).castShape(I, 0);
      IntVector low = q.and(15).or(bits(fifth >>> i));
      IntVector high = q.lanewise(VectorOperators.LSHR, 4).and(15).or(bits(fifth >>> i + 16));
      ((FloatVector) low.sub(offset).convert(VectorOperators.I2F, 0))
          .fma(d, m)
          .intoArray(target, to + i);
      ((FloatVector) high.sub(offset).convert(VectorOperators.I2F, 0))
          .fma(d, m)
          .intoArray(target, to + 16 + i);
    }
  }

  /// Bit `i` of `word` as 16 in lane `i`.
  private static IntVector bits(int word) {
    return IntVector.broadcast(I, word)
        .lanewise(VectorOperators.LSHR, LANES)
        .and(1)
        .lanewise(VectorOperators.LSHL, 4);
  }

  static void q5K(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 176L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      float m = -Float.float16ToFloat(w.get(HALF, block + 2));
      long scales = Q4KRowKernel.scales(w.get(INT, block + 4), w.get(INT, block + 12));
      long minimums = Q4KRowKernel.minimums(w.get(INT, block + 8), w.get(INT, block + 12));
      for (int j = 0; j < 8; j++) {
        FloatVector dj = FloatVector.broadcast(F, d * (scales >>> 8 * j & 63));
        FloatVector mj = FloatVector.broadcast(F, m * (minimums >>> 8 * j & 63));
        for (int i = 0; i < 32; i += L) {
          long codes = block + 48 + 32L * (j >> 1) + i;
          IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, codes, LE).castShape(I, 0);
          IntVector h =
              (IntVector) ByteVector.fromMemorySegment(B, w, block + 16 + i, LE).castShape(I, 0);
          h = h.lanewise(VectorOperators.LSHR, j).and(1).lanewise(VectorOperators.LSHL, 4);
          q = q.lanewise(VectorOperators.LSHR, 4 * (j & 1)).and(15).or(h);
          ((FloatVector) q.convert(VectorOperators.I2F, 0))
              .fma(dj, mj)
              .intoArray(target, to + 256 * b + 32 * j + i);
        }
      }
    }
  }

  static void q2K(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 84L * b;
      float d = Float.float16ToFloat(w.get(HALF, block + 80));
      float m = -Float.float16ToFloat(w.get(HALF, block + 82));
      for (int k = 0; k < 256; k += L) {
        int scale = w.get(ValueLayout.JAVA_BYTE, block + (k >> 4));
        IntVector q = twoBits(w, block + 16, k);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .fma(
                FloatVector.broadcast(F, d * (scale & 15)),
                FloatVector.broadcast(F, m * (scale >> 4 & 15)))
            .intoArray(target, to + 256 * b + k);
      }
    }
  }

  static void q3K(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 110L * b;
      float d = Float.float16ToFloat(w.get(HALF, block + 108));
      for (int k = 0; k < 256; k += L) {
        int sub = k >> 4;
        int low = w.get(ValueLayout.JAVA_BYTE, block + 96 + (sub & 7)) >> 4 * (sub >> 3) & 15;
        int high = w.get(ValueLayout.JAVA_BYTE, block + 104 + (sub & 3)) >> 2 * (sub >> 2) & 3;
        // A third bit a weight, of which bit `k / 32` of 32 bytes is clear where 4 is taken away.
        IntVector h =
            (IntVector) ByteVector.fromMemorySegment(B, w, block + (k & 31), LE).castShape(I, 0);
        h = h.lanewise(VectorOperators.LSHR, k >> 5).and(1).lanewise(VectorOperators.LSHL, 2);
        IntVector q = twoBits(w, block + 32, k).or(h).sub(4);
        ((FloatVector) q.convert(VectorOperators.I2F, 0))
            .mul(d * ((low | high << 4) - 32))
            .intoArray(target, to + 256 * b + k);
      }
    }
  }

  /// Codes of 2 bits from weight `k` on: 128 weights are four planes of 32 bytes.
  private static IntVector twoBits(MemorySegment w, long at, int k) {
    long bytes = at + 32L * (k >> 7) + (k & 31);
    return ((IntVector) ByteVector.fromMemorySegment(B, w, bytes, LE).castShape(I, 0))
        .lanewise(VectorOperators.LSHR, 2 * (k >> 5 & 3))
        .and(3);
  }
}
