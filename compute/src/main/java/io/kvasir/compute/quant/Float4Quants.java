package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// Blocks of 4-bit floats E2M1 (sign, 2 exponent bits, 1 mantissa bit: 0, 0.5, 1, 1.5, 2, 3, 4, 6).
///
/// ```
/// MXFP4  e qs[16]         32 weights; scale 2^(e - 127); low nibbles are weights 0-15
/// NVFP4  sc[4] qs[32]     64 weights; scale sc as unsigned E4M3 a 16 weights; of each 8 bytes the
///                         low nibbles are weights 0-7, the high ones 8-15
/// ```
///
/// MXFP4 is the format of "OCP Microscaling Formats (MX)", 2023, which gpt-oss is published in. The
/// second, f32 scale that NVIDIA keeps per tensor is a tensor of its own in the file.
final class Float4Quants {
  static final WeightCodec MXFP4 = new BlockCodec(TensorType.MXFP4, Float4Quants::mx);
  static final WeightCodec NVFP4 = new BlockCodec(TensorType.NVFP4, Float4Quants::nv);

  /// Twice the value of each code, so that all are whole; scales are halved to match.
  private static final int[] DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  /// Between the doubled values of neighbouring codes.
  private static final double[] HALFWAY = {0.5, 1.5, 2.5, 3.5, 5, 7, 10};

  private Float4Quants() {}

  private static void mx(MemorySegment s, long at, float[] t, int to) {
    float half = halfScale(Le.u8(s, at));
    for (int i = 0; i < 16; i++) {
      int codes = Le.u8(s, at + 1 + i);
      t[to + i] = DOUBLED[codes & 15] * half;
      t[to + 16 + i] = DOUBLED[codes >> 4] * half;
    }
  }

  private static void nv(MemorySegment s, long at, float[] t, int to) {
    for (int sub = 0; sub < 4; sub++) {
      float half = 0.5f * unsignedE4m3(Le.u8(s, at + sub));
      for (int i = 0; i < 8; i++) {
        int codes = Le.u8(s, at + 4 + 8L * sub + i);
        t[to + 16 * sub + i] = DOUBLED[codes & 15] * half;
        t[to + 16 * sub + 8 + i] = DOUBLED[codes >> 4] * half;
      }
    }
  }

  /// 2^(code - 128): half an E8M0 scale, always finite (as GGML has it).
  static float halfScale(int code) {
    return Float.intBitsToFloat(code < 2 ? 0x0020_0000 << code : code - 1 << 23);
  }

  /// The sign bit is ignored and the NaN code counts as zero (as GGML has it).
  private static float unsignedE4m3(int code) {
    return (code & 0x7F) == 0x7F ? 0 : SmallFloats.e4m3(code & 0x7F);
  }

  /// The power of two that puts the largest weight into [4, 8), and the nearest codes.
  static void encodeMx(float[] source, int from, MemorySegment target, long at) {
    float largest = 0;
    for (int i = 0; i < 32; i++) {
      largest = Math.max(largest, Math.abs(source[from + i]));
    }
    // The logarithm is rounded to f32 as in GGML, which matters just below powers of two.
    int exponent = (int) Math.floor((float) (Math.log(largest) / Math.log(2)));
    int scale = largest > 0 ? Math.clamp(exponent - 2 + 127, 0, 254) : 0;
    // In f64, where the inverse of every scale is a number.
    double inverse = 1.0 / halfScale(scale);
    Le.put8(target, at, scale);
    for (int i = 0; i < 16; i++) {
      int low = nearest(source[from + i] * inverse);
      int high = nearest(source[from + 16 + i] * inverse);
      Le.put8(target, at + 1 + i, low | high << 4);
    }
  }

  /// The code whose doubled value is nearest; halfway, the one nearer to zero.
  private static int nearest(double doubled) {
    double magnitude = Math.abs(doubled);
    int code = 0;
    for (double limit : HALFWAY) {
      code += magnitude > limit ? 1 : 0;
    }
    return doubled < 0 && code > 0 ? code | 8 : code;
  }
}
