package io.kvasir.server.shape;

import java.util.Arrays;

/// A set of tokens as bits.
final class TokenMask {
  private final long[] bits;

  TokenMask(int vocabulary) {
    bits = new long[(vocabulary + 63) / 64];
  }

  /// None.
  TokenMask clear() {
    Arrays.fill(bits, 0);
    return this;
  }

  /// All.
  TokenMask fill() {
    Arrays.fill(bits, -1);
    return this;
  }

  TokenMask add(int token) {
    bits[token / 64] |= 1L << token;
    return this;
  }

  TokenMask addAll(long[] others) {
    for (int i = 0; i < Math.min(bits.length, others.length); i++) {
      bits[i] |= others[i];
    }
    return this;
  }

  static boolean has(long[] bits, int token) {
    return token / 64 < bits.length && (bits[token / 64] >>> token & 1) != 0;
  }

  long[] bits() {
    return bits;
  }
}
