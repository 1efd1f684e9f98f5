package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Numbers that are stored one by one: IEEE floats, bfloat16 and integers.
final class PlainNumbers {
  static final WeightCodec F32 = new PlainCodec(TensorType.F32, PlainNumbers::f32);
  static final WeightCodec F16 = new PlainCodec(TensorType.F16, PlainNumbers::f16);
  static final WeightCodec BF16 = new PlainCodec(TensorType.BF16, PlainNumbers::bf16);
  static final WeightCodec F64 = new PlainCodec(TensorType.F64, PlainNumbers::f64);
  static final WeightCodec U8 = new PlainCodec(TensorType.U8, PlainNumbers::u8);
  static final WeightCodec I8 = new PlainCodec(TensorType.I8, PlainNumbers::i8);
  static final WeightCodec I16 = new PlainCodec(TensorType.I16, PlainNumbers::i16);
  static final WeightCodec I32 = new PlainCodec(TensorType.I32, PlainNumbers::i32);
  static final WeightCodec I64 = new PlainCodec(TensorType.I64, PlainNumbers::i64);

  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private PlainNumbers() {}

  private static void f32(MemorySegment s, long at, float[] t, int to, int count) {
    MemorySegment.copy(s, FLOAT, at, t, to, count);
  }

  private static void f16(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.f16(s, at + 2L * i);
    }
  }

  private static void bf16(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Float.intBitsToFloat(Le.u16(s, at + 2L * i) << 16);
    }
  }

  private static void f64(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = (float) Double.longBitsToDouble(Le.i64(s, at + 8L * i));
    }
  }

  private static void u8(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.u8(s, at + i);
    }
  }

  private static void i8(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.i8(s, at + i);
    }
  }

  private static void i16(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.i16(s, at + 2L * i);
    }
  }

  private static void i32(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.i32(s, at + 4L * i);
    }
  }

  private static void i64(MemorySegment s, long at, float[] t, int to, int count) {
    for (int i = 0; i < count; i++) {
      t[to + i] = Le.i64(s, at + 8L * i);
    }
  }

  static void encodeF32(float[] source, int from, MemorySegment target, long at) {
    Le.put32(target, at, Float.floatToRawIntBits(source[from]));
  }

  static void encodeF16(float[] source, int from, MemorySegment target, long at) {
    Le.putF16(target, at, source[from]);
  }

  /// Rounds to nearest even; a NaN stays a (quiet) NaN.
  static void encodeBf16(float[] source, int from, MemorySegment target, long at) {
    int bits = Float.floatToRawIntBits(source[from]);
    boolean nan = (bits & 0x7FFF_FFFF) > 0x7F80_0000;
    Le.put16(target, at, nan ? bits >>> 16 | 0x40 : bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }
}
