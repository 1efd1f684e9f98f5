package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// The first block formats of GGML: 32 weights a block with one f16 scale `d` and, in the `_1`
/// kinds, an f16 minimum `m`.
///
/// Where codes have 4 bits, byte `i` of the 16 holds weight `i` low and weight `i + 16` high; a
/// fifth bit comes from bit `i` of a 32-bit word.
///
/// ```
/// Q4_0  d qs[16]            w = (q - 8) d
/// Q4_1  d m qs[16]          w = q d + m
/// Q5_0  d qh[4] qs[16]      w = (q - 16) d
/// Q5_1  d m qh[4] qs[16]    w = q d + m
/// Q8_0  d qs[32]            w = q d
/// ```
final class LegacyQuants {
  static final WeightCodec Q4_0 = new BlockCodec(TensorType.Q4_0, LegacyQuants::q4);
  static final WeightCodec Q4_1 = new BlockCodec(TensorType.Q4_1, LegacyQuants::q4Min);
  static final WeightCodec Q5_0 = new BlockCodec(TensorType.Q5_0, LegacyQuants::q5);
  static final WeightCodec Q5_1 = new BlockCodec(TensorType.Q5_1, LegacyQuants::q5Min);
  static final WeightCodec Q8_0 = new BlockCodec(TensorType.Q8_0, LegacyQuants::q8);

  private LegacyQuants() {}

  private static void q4(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int i = 0; i < 16; i++) {
      int q = Le.u8(s, at + 2 + i);
      t[to + i] = ((q & 15) - 8) * d;
      t[to + 16 + i] = ((q >> 4) - 8) * d;
    }
  }

  private static void q4Min(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    float m = Le.f16(s, at + 2);
    for (int i = 0; i < 16; i++) {
      int q = Le.u8(s, at + 4 + i);
      t[to + i] = (q & 15) * d + m;
      t[to + 16 + i] = (q >> 4) * d + m;
    }
  }

  private static void q5(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    int high = Le.i32(s, at + 2);
    for (int i = 0; i < 16; i++) {
      int q = Le.u8(s, at + 6 + i);
      t[to + i] = ((q & 15 | fifthBit(high, i)) - 16) * d;
      t[to + 16 + i] = ((q >> 4 | fifthBit(high, i + 16)) - 16) * d;
    }
  }

  private static void q5Min(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    float m = Le.f16(s, at + 2);
    int high = Le.i32(s, at + 4);
    for (int i = 0; i < 16; i++) {
      int q = Le.u8(s, at + 8 + i);
      t[to + i] = (q & 15 | fifthBit(high, i)) * d + m;
      t[to + 16 + i] = (q >> 4 | fifthBit(high, i + 16)) * d + m;
    }
  }

  private static void q8(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int i = 0; i < 32; i++) {
      t[to + i] = Le.i8(s, at + 2 + i) * d;
    }
  }

  private static int fifthBit(int high, int weight) {
    return (high >>> weight & 1) << 4;
  }
}
