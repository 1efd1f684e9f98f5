package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// Ternary formats of GGML (for BitNet-like models): 256 weights of -1, 0 or 1 times one f16 `d`.
///
/// ```
/// TQ1_0  qs[48] qh[4] d    five weights a byte (four in qh), as base-3 digits
/// TQ2_0  qs[64] d          four weights a byte, two bits each, in planes of 32 weights
/// ```
///
/// A TQ1_0 byte holds the fraction 0.d1d2d3d4d5 in base 3, rounded up to 1/256: multiplying by 3
/// moves the next digit above the point. The first 32 bytes cover weights 0-159, digit by digit;
/// the next 16 cover 160-239; `qh` covers the last 16 with four digits each.
final class TernaryQuants {
  static final WeightCodec TQ1_0 = new BlockCodec(TensorType.TQ1_0, TernaryQuants::base3);
  static final WeightCodec TQ2_0 = new BlockCodec(TensorType.TQ2_0, TernaryQuants::twoBits);

  private TernaryQuants() {}

  private static void base3(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at + 52);
    for (int i = 0; i < 52; i++) {
      // Each of the three groups lists its bytes' first digits, then their second ones, ...
      int groupBytes = i < 32 ? 32 : i < 48 ? 16 : 4;
      int groupWeights = i < 32 ? 0 : i < 48 ? 160 : 240;
      int digits = i < 48 ? 5 : 4;
      int first = to + groupWeights + i % groupBytes;
      int fraction = Le.u8(s, at + i);
      for (int digit = 0; digit < digits; digit++) {
        int times3 = 3 * fraction;
        t[first + digit * groupBytes] = ((times3 >> 8) - 1) * d;
        fraction = times3 & 0xFF;
      }
    }
  }

  private static void twoBits(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at + 64);
    for (int i = 0; i < 64; i++) {
      int codes = Le.u8(s, at + i);
      int first = to + (i >> 5) * 128 + (i & 31);
      for (int plane = 0; plane < 4; plane++) {
        t[first + 32 * plane] = ((codes >> 2 * plane & 3) - 1) * d;
      }
    }
  }
}
