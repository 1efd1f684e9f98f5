package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// The codebook formats of GGML: 256 weights, of which 8 (IQ2, IQ1) or 4 (IQ3) at a time are one
/// entry of a codebook, with signs apart.
///
/// ```
/// IQ2_XXS  d { index[4] u32: 4 x 7 sign bits, 4 scale bits }[8]       w = d (sc + 1/2) / 4 g
/// IQ2_XS   d { 9 index bits, 7 sign bits }[32] u16, scales[8]         w = d (sc + 1/2) / 4 g
/// IQ2_S    d index[32] signs[32] indexHigh[8] scales[8]               w = d (sc + 1/2) / 4 g
/// IQ3_XXS  d index[64] u32[8]: 4 x 7 sign bits, 4 scale bits          w = d (sc + 1/2) / 2 g
/// IQ3_S    d index[64] indexHigh[8] signs[32] scales[4]               w = d (2 sc + 1) g
/// IQ1_S    d index[32] u16[8]: 4 x 3 index bits, 3 scale bits, shift  w = d (2 sc + 1) (g ± 1/8)
/// IQ1_M    index[32] { 3 index bits, shift }[32] scales[4] u16        w = d (2 sc + 1) (g ± 1/8)
/// ```
///
/// Seven sign bits stand for eight signs: the eighth makes the number of minuses even. The `d` of
/// IQ1_M is spread over the top nibbles of its scales.
final class IQuants {
  static final WeightCodec IQ2_XXS = new BlockCodec(TensorType.IQ2_XXS, IQuants::iq2xxs);
  static final WeightCodec IQ2_XS = new BlockCodec(TensorType.IQ2_XS, IQuants::iq2xs);
  static final WeightCodec IQ2_S = new BlockCodec(TensorType.IQ2_S, IQuants::iq2s);
  static final WeightCodec IQ3_XXS = new BlockCodec(TensorType.IQ3_XXS, IQuants::iq3xxs);
  static final WeightCodec IQ3_S = new BlockCodec(TensorType.IQ3_S, IQuants::iq3s);
  static final WeightCodec IQ1_S = new BlockCodec(TensorType.IQ1_S, IQuants::iq1s);
  static final WeightCodec IQ1_M = new BlockCodec(TensorType.IQ1_M, IQuants::iq1m);

  private static final float SHIFT = 0.125f;

  private IQuants() {}

  private static void iq2xxs(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int group = 0; group < 8; group++) {
      long start = at + 2 + 8L * group;
      int packed = Le.i32(s, start + 4);
      float scale = d * (0.5f + (packed >>> 28)) * 0.25f;
      for (int k = 0; k < 4; k++) {
        int signs = evenSigns(packed >>> 7 * k);
        int index = Le.u8(s, start + k);
        vector(Codebooks.IQ2_XXS, 8 * index, 8, signs, scale, t, to + 32 * group + 8 * k);
      }
    }
  }

  private static void iq2xs(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int k = 0; k < 32; k++) {
      int packed = Le.u16(s, at + 2 + 2L * k);
      float scale = d * (0.5f + nibble(s, at + 66, k >> 1)) * 0.25f;
      vector(Codebooks.IQ2_XS, 8 * (packed & 511), 8, evenSigns(packed >> 9), scale, t, to + 8 * k);
    }
  }

  private static void iq2s(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int k = 0; k < 32; k++) {
      int high = Le.u8(s, at + 66 + (k >> 2)) >> 2 * (k & 3) & 3;
      int index = Le.u8(s, at + 2 + k) | high << 8;
      float scale = d * (0.5f + nibble(s, at + 74, k >> 1)) * 0.25f;
      vector(Codebooks.IQ2_S, 8 * index, 8, Le.u8(s, at + 34 + k), scale, t, to + 8 * k);
    }
  }

  private static void iq3xxs(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int group = 0; group < 8; group++) {
      int packed = Le.i32(s, at + 66 + 4L * group);
      float scale = d * (0.5f + (packed >>> 28)) * 0.5f;
      for (int k = 0; k < 8; k++) {
        int signs = evenSigns(packed >>> 7 * (k >> 1)) >> 4 * (k & 1);
        int index = Le.u8(s, at + 2 + 8L * group + k);
        vector(Codebooks.IQ3_XXS, 4 * index, 4, signs, scale, t, to + 32 * group + 4 * k);
      }
    }
  }

  private static void iq3s(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int k = 0; k < 64; k++) {
      int high = Le.u8(s, at + 66 + (k >> 3)) >> (k & 7) & 1;
      int index = Le.u8(s, at + 2 + k) | high << 8;
      int signs = Le.u8(s, at + 74 + (k >> 1)) >> 4 * (k & 1);
      float scale = d * (1 + 2 * nibble(s, at + 106, k >> 3));
      vector(Codebooks.IQ3_S, 4 * index, 4, signs, scale, t, to + 4 * k);
    }
  }

  private static void iq1s(MemorySegment s, long at, float[] t, int to) {
    float d = Le.f16(s, at);
    for (int k = 0; k < 32; k++) {
      int packed = Le.u16(s, at + 34 + 2L * (k >> 2));
      int index = Le.u8(s, at + 2 + k) | (packed >> 3 * (k & 3) & 7) << 8;
      float scale = d * (2 * (packed >> 12 & 7) + 1);
      ternary(index, (packed & 0x8000) == 0 ? SHIFT : -SHIFT, scale, t, to + 8 * k);
    }
  }

  private static void iq1m(MemorySegment s, long at, float[] t, int to) {
    int bits = 0;
    for (int i = 0; i < 4; i++) {
      bits |= Le.u16(s, at + 48 + 2L * i) >> 12 << 4 * i;
    }
    float d = Float.float16ToFloat((short) bits);
    for (int k = 0; k < 32; k++) {
      int packed = nibble(s, at + 32, k);
      int index = Le.u8(s, at + k) | (packed & 7) << 8;
      // Three scale bits a 16 weights, four of them in each 16-bit word.
      int word = Le.u16(s, at + 48 + 2L * (k >> 3));
      float scale = d * (2 * (word >> 3 * (k >> 1 & 3) & 7) + 1);
      ternary(index, (packed & 8) == 0 ? SHIFT : -SHIFT, scale, t, to + 8 * k);
    }
  }

  /// Eight sign bits from seven: the last is their parity.
  private static int evenSigns(int sevenBits) {
    int bits = sevenBits & 127;
    return bits | (Integer.bitCount(bits) & 1) << 7;
  }

  private static int nibble(MemorySegment s, long at, int index) {
    return Le.u8(s, at + (index >> 1)) >> 4 * (index & 1) & 15;
  }

  private static void vector(
      byte[] book, int entry, int count, int signs, float scale, float[] t, int to) {
    for (int i = 0; i < count; i++) {
      float value = scale * book[entry + i];
      t[to + i] = (signs >> i & 1) == 0 ? value : -value;
    }
  }

  private static void ternary(int index, float shift, float scale, float[] t, int to) {
    for (int i = 0; i < 8; i++) {
      t[to + i] = scale * (Codebooks.IQ1[8 * index + i] + shift);
    }
  }
}
