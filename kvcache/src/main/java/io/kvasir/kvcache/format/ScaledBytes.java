package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;

/// A plane of one byte for each element and one scale for each row.
///
/// ```
/// plane:   | codes: S rows of D bytes | scales: s0 s0 | s1 s1 | ... |      S D + 2 S bytes
/// values, latent rows: code (slot, i) at    slot D + i
/// keys:                code (slot, i) at    (slot / 16 * D + i) 16 + slot % 16
/// scale of a row:                           S D + 2 slot, f16, little-endian
/// ```
final class ScaledBytes {
  private ScaledBytes() {}

  static long planeBytes(int blockTokens, int dim) {
    return (long) blockTokens * (dim + 2);
  }

  /// The largest magnitude of what is encoded for the elements of a row.
  static float largest(float[] source, int offset, int dim) {
    float most = 0;
    for (int i = 0; i < dim; i++) {
      most = Math.max(most, Math.abs(RowNumbers.finite(source[offset + i])));
    }
    return most;
  }

  static byte get(KvPlane plane, int slot, int channel) {
    return plane.memory().get(ValueLayout.JAVA_BYTE, codeAt(plane, slot, channel));
  }

  static void put(KvPlane plane, int slot, int channel, byte code) {
    plane.memory().set(ValueLayout.JAVA_BYTE, codeAt(plane, slot, channel), code);
  }

  static float scale(KvPlane plane, int slot) {
    return RowNumbers.half(plane.memory(), scaleAt(plane, slot));
  }

  static void putScale(KvPlane plane, int slot, float scale) {
    RowNumbers.putHalf(plane.memory(), scaleAt(plane, slot), scale);
  }

  static void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    for (int i = 0; i < from.dim(); i++) {
      put(to, toSlot, i, get(from, slot, i));
    }
    RowNumbers.copyHalf(from.memory(), scaleAt(from, slot), to.memory(), scaleAt(to, toSlot));
  }

  private static long codeAt(KvPlane plane, int slot, int channel) {
    return plane.offset() + plane.element(slot, channel);
  }

  private static long scaleAt(KvPlane plane, int slot) {
    return plane.offset() + (long) plane.blockTokens() * plane.dim() + 2L * slot;
  }
}
