package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// 4-bit formats of GGML whose codes index a fixed table of 16 values, denser near zero.
///
/// ```
/// IQ4_NL  d qs[16]                              32 weights
/// IQ4_XS  d scalesHigh u16 scalesLow[4] qs[128] 256 weights, w = d (sc - 32) table[q], a 32 weights
/// ```
///
/// In each 16 bytes the low nibbles are the first 16 weights, the high ones the next 16.
final class NonLinearQuants {
  static final WeightCodec IQ4_NL = new BlockCodec(TensorType.IQ4_NL, NonLinearQuants::small);
  static final WeightCodec IQ4_XS = new BlockCodec(TensorType.IQ4_XS, NonLinearQuants::large);

  private static final int[] TABLE = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  private NonLinearQuants() {}

  private static void small(MemorySegment s, long at, float[] t, int to) {
    codes(s, at + 2, Le.f16(s, at), t, to);
  }

  private static void large(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    int scalesHigh = Le.u16(s, at + 2);
    for (int sub = 0; sub < 8; sub++) {
      int low = Le.u8(s, at + 4 + (sub >> 1)) >> 4 * (sub & 1) & 15;
      int high = scalesHigh >> 2 * sub & 3;
      codes(s, at + 8 + 16L * sub, d * ((low | high << 4) - 32), t, to + 32 * sub);
    }
  }

  private static void codes(MemorySegment s, long at, float scale, float[] t, int to) {
    for (int i = 0; i < 16; i++) {
      int q = Le.u8(s, at + i);
      t[to + i] = TABLE[q & 15] * scale;
      t[to + 16 + i] = TABLE[q >> 4] * scale;
    }
  }
}
