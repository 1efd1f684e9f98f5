package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;

/// The quantizers of GGML's first block formats and its ternary ones, equal to its reference
/// quantizers bit for bit: where those depend on whether the compiler fuses a multiply and an add,
/// the product is taken in f64, as in GGML's Python twin.
final class LegacyEncoders {
  private static final int[] POWERS_OF_3 = {81, 27, 9, 3, 1};

  private LegacyEncoders() {}

  /// The weight of largest magnitude becomes code -8 (or 7, by its sign).
  static void q4(float[] source, int from, MemorySegment target, long at) {
    float d = source[largest(source, from, 32)] / -8;
    float inverse = inverse(d);
    Le.putF16(target, at, d);
    for (int i = 0; i < 16; i++) {
      int low = centered(source[from + i], inverse, 8.5, 15);
      int high = centered(source[from + 16 + i], inverse, 8.5, 15);
      Le.put8(target, at + 2 + i, low | high << 4);
    }
  }

  static void q5(float[] source, int from, MemorySegment target, long at) {
    float d = source[largest(source, from, 32)] / -16;
    float inverse = inverse(d);
    int fifth = 0;
    Le.putF16(target, at, d);
    for (int i = 0; i < 16; i++) {
      int low = centered(source[from + i], inverse, 16.5, 31);
      int high = centered(source[from + 16 + i], inverse, 16.5, 31);
      fifth |= low >> 4 << i | high >> 4 << i + 16;
      Le.put8(target, at + 6 + i, low & 15 | (high & 15) << 4);
    }
    Le.put32(target, at + 2, fifth);
  }

  static void q4Min(float[] source, int from, MemorySegment target, long at) {
    float min = minimum(source, from);
    float d = (maximum(source, from) - min) / 15;
    float inverse = inverse(d);
    Le.putF16(target, at, d);
    Le.putF16(target, at + 2, min);
    for (int i = 0; i < 16; i++) {
      int low = aboveMin(source[from + i], min, inverse, 15);
      int high = aboveMin(source[from + 16 + i], min, inverse, 15);
      Le.put8(target, at + 4 + i, low | high << 4);
    }
  }

  static void q5Min(float[] source, int from, MemorySegment target, long at) {
    float min = minimum(source, from);
    float d = (maximum(source, from) - min) / 31;
    float inverse = inverse(d);
    int fifth = 0;
    Le.putF16(target, at, d);
    Le.putF16(target, at + 2, min);
    for (int i = 0; i < 16; i++) {
      int low = aboveMin(source[from + i], min, inverse, 31);
      int high = aboveMin(source[from + 16 + i], min, inverse, 31);
      fifth |= low >> 4 << i | high >> 4 << i + 16;
      Le.put8(target, at + 8 + i, low & 15 | (high & 15) << 4);
    }
    Le.put32(target, at + 4, fifth);
  }

  static void q8(float[] source, int from, MemorySegment target, long at) {
    float d = Math.abs(source[largest(source, from, 32)]) / 127;
    float inverse = inverse(d);
    Le.putF16(target, at, d);
    for (int i = 0; i < 32; i++) {
      Le.put8(target, at + 2 + i, round(source[from + i] * inverse));
    }
  }

  static void ternaryBase3(float[] source, int from, MemorySegment target, long at) {
    float d = Math.abs(source[largest(source, from, 256)]);
    float inverse = inverse(d);
    for (int i = 0; i < 52; i++) {
      int groupBytes = i < 32 ? 32 : i < 48 ? 16 : 4;
      int first = from + (i < 32 ? 0 : i < 48 ? 160 : 240) + i % groupBytes;
      int digits = i < 48 ? 5 : 4;
      int number = 0;
      for (int digit = 0; digit < digits; digit++) {
        number += POWERS_OF_3[digit] * (round(source[first + digit * groupBytes] * inverse) + 1);
      }
      // As a fraction of 3^5 = 243 in 1/256, rounded up, so that decoding needs no division.
      Le.put8(target, at + i, (256 * number + 242) / 243);
    }
    Le.putF16(target, at + 52, d);
  }

  static void ternaryTwoBits(float[] source, int from, MemorySegment target, long at) {
    float d = Math.abs(source[largest(source, from, 256)]);
    float inverse = inverse(d);
    for (int i = 0; i < 64; i++) {
      int first = from + (i >> 5) * 128 + (i & 31);
      int codes = 0;
      for (int plane = 0; plane < 4; plane++) {
        codes |= round(source[first + 32 * plane] * inverse) + 1 << 2 * plane;
      }
      Le.put8(target, at + i, codes);
    }
    Le.putF16(target, at + 64, d);
  }

  /// The index of the first weight of largest magnitude.
  private static int largest(float[] source, int from, int count) {
    int best = from;
    for (int i = from + 1; i < from + count; i++) {
      if (Math.abs(source[i]) > Math.abs(source[best])) {
        best = i;
      }
    }
    return best;
  }

  private static float minimum(float[] source, int from) {
    float min = source[from];
    for (int i = from + 1; i < from + 32; i++) {
      min = Math.min(min, source[i]);
    }
    return min;
  }

  private static float maximum(float[] source, int from) {
    float max = source[from];
    for (int i = from + 1; i < from + 32; i++) {
      max = Math.max(max, source[i]);
    }
    return max;
  }

  private static float inverse(float scale) {
    return scale == 0 ? 0 : 1 / scale;
  }

  /// The sum is rounded to f32 before it is cut to a whole number, as the reference does.
  private static int centered(float value, float inverse, double offset, int top) {
    return Math.clamp((int) (float) ((double) value * inverse + offset), 0, top);
  }

  private static int aboveMin(float value, float min, float inverse, int top) {
    return Math.clamp((int) ((value - min) * inverse + 0.5f), 0, top);
  }

  /// Halves away from zero.
  private static int round(float value) {
    float magnitude = Math.abs(value);
    int whole = (int) magnitude;
    int rounded = whole + (int) (2 * (magnitude - whole));
    return value < 0 ? -rounded : rounded;
  }
}
