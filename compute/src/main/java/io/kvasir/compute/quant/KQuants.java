package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// The K-quants of GGML: super-blocks of 256 weights whose sub-blocks have small integer scales,
/// which are themselves scaled by an f16 `d` (and `dmin` for the sub-blocks' minimums).
///
/// ```
/// Q2_K  scales[16] qs[64] d dmin           w = d (sc & 15) q - dmin (sc >> 4), a 16 weights
/// Q3_K  hmask[32] qs[64] scales[12] d      w = d (sc - 32) (q - 4), a 16 weights
/// Q4_K  d dmin scales[12] qs[128]          w = d sc q - dmin mn, a 32 weights
/// Q5_K  d dmin scales[12] qh[32] qs[128]   w = d sc q - dmin mn, a 32 weights
/// Q6_K  ql[128] qh[64] scales[16] d        w = d sc (q - 32), a 16 weights
/// ```
///
/// Two-bit codes lie in planes: of each 32 bytes, bits 0-1 belong to the first 32 weights, bits 2-3
/// to the next 32, and so on. Four-bit codes lie likewise, two planes a 32 bytes.
final class KQuants {
  static final WeightCodec Q2_K = new BlockCodec(TensorType.Q2_K, KQuants::q2);
  static final WeightCodec Q3_K = new BlockCodec(TensorType.Q3_K, KQuants::q3);
  static final WeightCodec Q4_K = new BlockCodec(TensorType.Q4_K, KQuants::q4);
  static final WeightCodec Q5_K = new BlockCodec(TensorType.Q5_K, KQuants::q5);
  static final WeightCodec Q6_K = new BlockCodec(TensorType.Q6_K, KQuants::q6);

  private KQuants() {}

  private static void q2(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at + 80);
    float dmin = Le.f16(s, at + 82);
    for (int sub = 0; sub < 16; sub++) {
      int scale = Le.u8(s, at + sub);
      float dl = d * (scale & 15);
      float ml = dmin * (scale >> 4);
      long codes = at + 16 + twoBitByte(sub);
      int shift = twoBitShift(sub);
      for (int i = 0; i < 16; i++) {
        t[to + 16 * sub + i] = dl * (Le.u8(s, codes + i) >> shift & 3) - ml;
      }
    }
  }

  private static void q3(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at + 108);
    for (int sub = 0; sub < 16; sub++) {
      float dl = d * (q3Scale(s, at + 96, sub) - 32);
      long codes = at + 32 + twoBitByte(sub);
      int shift = twoBitShift(sub);
      // The mask has one bit a weight: bit `sub / 2` of 32 bytes, a clear bit meaning minus 4.
      long mask = at + 16L * (sub & 1);
      for (int i = 0; i < 16; i++) {
        int low = Le.u8(s, codes + i) >> shift & 3;
        int high = (Le.u8(s, mask + i) >> (sub >> 1) & 1) == 0 ? 4 : 0;
        t[to + 16 * sub + i] = dl * (low - high);
      }
    }
  }

  /// Sixteen 6-bit scales in 12 bytes: low nibbles in the first 8 bytes (low halves for scales 0-7,
  /// high halves for 8-15), the upper two bits in planes of the last 4.
  private static int q3Scale(MemorySegment s, long at, int sub) {
    int low = Le.u8(s, at + (sub & 7)) >> (sub < 8 ? 0 : 4) & 15;
    int high = Le.u8(s, at + 8 + (sub & 3)) >> 2 * (sub >> 2) & 3;
    return low | high << 4;
  }

  private static int twoBitByte(int sub) {
    return 32 * (sub >> 3) + 16 * (sub & 1);
  }

  private static int twoBitShift(int sub) {
    return 2 * (sub >> 1 & 3);
  }

  private static void q4(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    float dmin = Le.f16(s, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      float dl = d * scale(s, at + 4, sub);
      float ml = dmin * minimum(s, at + 4, sub);
      long codes = at + 16 + 32L * (sub >> 1);
      int shift = 4 * (sub & 1);
      for (int i = 0; i < 32; i++) {
        t[to + 32 * sub + i] = dl * (Le.u8(s, codes + i) >> shift & 15) - ml;
      }
    }
  }

  private static void q5(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    float dmin = Le.f16(s, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      float dl = d * scale(s, at + 4, sub);
      float ml = dmin * minimum(s, at + 4, sub);
      long codes = at + 48 + 32L * (sub >> 1);
      int shift = 4 * (sub & 1);
      for (int i = 0; i < 32; i++) {
        int fifth = (Le.u8(s, at + 16 + i) >> sub & 1) << 4;
        t[to + 32 * sub + i] = dl * (Le.u8(s, codes + i) >> shift & 15 | fifth) - ml;
      }
    }
  }

  /// Scale `sub` of the eight 6-bit scales and eight 6-bit minimums in 12 bytes: of the first four
  /// the low 6 bits of bytes 0-3 (scales) and 4-7 (minimums); of the last four the nibbles of bytes
  /// 8-11, their upper two bits being the top bits of bytes 0-7.
  private static int scale(MemorySegment s, long at, int sub) {
    return sub < 4
        ? Le.u8(s, at + sub) & 63
        : Le.u8(s, at + 4 + sub) & 15 | Le.u8(s, at + sub - 4) >> 6 << 4;
  }

  private static int minimum(MemorySegment s, long at, int sub) {
    return sub < 4
        ? Le.u8(s, at + 4 + sub) & 63
        : Le.u8(s, at + 4 + sub) >> 4 | Le.u8(s, at + sub) >> 6 << 4;
  }

  private static void q6(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at + 208);
    for (int sub = 0; sub < 16; sub++) {
      float dl = d * Le.i8(s, at + 192 + sub);
      // A half of 128 weights has 64 bytes of low nibbles and 32 bytes of high bit pairs.
      int half = sub >> 3;
      int plane = sub >> 1 & 3;
      long low = at + 64L * half + 32L * (plane & 1) + 16L * (sub & 1);
      long high = at + 128 + 32L * half + 16L * (sub & 1);
      int lowShift = 4 * (plane >> 1);
      for (int i = 0; i < 16; i++) {
        int q = Le.u8(s, low + i) >> lowShift & 15 | (Le.u8(s, high + i) >> 2 * plane & 3) << 4;
        t[to + 16 * sub + i] = dl * (q - 32);
      }
    }
  }
}
