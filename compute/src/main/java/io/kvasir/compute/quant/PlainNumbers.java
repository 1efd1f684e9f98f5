package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// Numbers that are stored one by one: IEEE floats, bfloat16 and integers.
final class PlainNumbers {
  static final WeightCodec F32 =
      new BlockCodec(TensorType.F32, (s, at, t, to) -> t[to] = Float.intBitsToFloat(Le.i32(s, at)));
  static final WeightCodec F16 =
      new BlockCodec(TensorType.F16, (s, at, t, to) -> t[to] = Le.f16(s, at));
  static final WeightCodec BF16 =
      new BlockCodec(
          TensorType.BF16, (s, at, t, to) -> t[to] = Float.intBitsToFloat(Le.u16(s, at) << 16));
  static final WeightCodec F64 =
      new BlockCodec(
          TensorType.F64, (s, at, t, to) -> t[to] = (float) Double.longBitsToDouble(Le.i64(s, at)));
  static final WeightCodec U8 =
      new BlockCodec(TensorType.U8, (s, at, t, to) -> t[to] = Le.u8(s, at));
  static final WeightCodec I8 =
      new BlockCodec(TensorType.I8, (s, at, t, to) -> t[to] = Le.i8(s, at));
  static final WeightCodec I16 =
      new BlockCodec(TensorType.I16, (s, at, t, to) -> t[to] = Le.i16(s, at));
  static final WeightCodec I32 =
      new BlockCodec(TensorType.I32, (s, at, t, to) -> t[to] = Le.i32(s, at));
  static final WeightCodec I64 =
      new BlockCodec(TensorType.I64, (s, at, t, to) -> t[to] = Le.i64(s, at));

  private PlainNumbers() {}

  static void encodeF32(float[] source, int from, MemorySegment target, long at) {
    Le.put32(target, at, Float.floatToRawIntBits(source[from]));
  }

  static void encodeF16(float[] source, int from, MemorySegment target, long at) {
    Le.putF16(target, at, source[from]);
  }

  /// Rounds to nearest even; a NaN stays a (quiet) NaN.
  static void encodeBf16(float[] source, int from, MemorySegment target, long at) {
    Le.put16(target, at, bf16(source[from]));
  }

  static int bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return bits >>> 16 | 0x40;
    }
    return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
  }
}
